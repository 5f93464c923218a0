"""How much there is to compute: multiply-adds of the trained model, synaptic operations of the spiking one.

A synaptic operation is an addition that a spike causes: a spike reaches as many as its layer behind has multiply-adds per
input value. So a layer with weights that takes in spikes costs   multiply-adds x spikes per neuron and step x T.   What takes
in something analog (the model's input, islands) costs multiply-adds, as in the trained model.

Energy: 4.6 pJ for a float32 multiply-add and 0.9 pJ for an addition, in 45 nm. Source: M. Horowitz, Computing's energy problem,
ISSCC 2014. Memory traffic, which dominates on real chips, is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.graph.op_facts import facts
from converter.graph.shapes import Shapes
from converter.measure.instruments import SPIKING
from snn_ops.format import DOMAIN

PICOJOULE_PER_MULTIPLY_ADD = 4.6
PICOJOULE_PER_ADDITION = 0.9
_WEIGHTED = frozenset("Conv ConvTranspose Gemm MatMul".split())


@dataclass(frozen=True)
class Work:
    """Per sample.

    Attributes:
        multiply_adds: of the trained model.
        analog: those that stay multiply-adds in the spiking model.
        synaptic_operations: additions that spikes cause in T steps.
        by_layer: those of each layer of neurons; a layer that several feed counts for each of them in equal parts.
    """

    multiply_adds: int
    analog: int
    synaptic_operations: float
    by_layer: Mapping[str, float]

    def summary(self) -> dict[str, float | None]:
        """The totals, ready for JSON."""
        return {
            "multiply_adds": self.multiply_adds,
            "analog": self.analog,
            "synaptic_operations": self.synaptic_operations,
            "energy_ratio": self.energy_ratio,
        }

    @property
    def energy_ratio(self) -> float | None:
        """Energy of the spiking model as a share of the trained model's, counted as above."""
        if not self.multiply_adds:
            return None
        spent = self.analog * PICOJOULE_PER_MULTIPLY_ADD + self.synaptic_operations * PICOJOULE_PER_ADDITION
        return spent / (self.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD)


def multiply_adds(model: ir.Model, shapes: Shapes, samples: int) -> dict[str, int]:
    """Multiply-adds per sample of every layer with weights, by the node's name.

    Args:
        model: the trained model.
        shapes: every value's shape for that many samples.
        samples: their number.
    """
    return {
        str(node.name): round(_products(node, shapes) / samples)
        for node in model.graph
        if node.op_type in _WEIGHTED and not node.domain
    }


def _products(node: ir.Node, shapes: Shapes) -> int:
    x, w, y = (
        shapes.get(str(value.name)) if value is not None else None for value in (*node.inputs[:2], node.outputs[0])
    )
    if not x or not w or not y:
        return 0
    if node.op_type == "Conv":
        return int(np.prod(y)) * int(np.prod(w[1:]))
    if node.op_type == "ConvTranspose":
        return int(np.prod(x)) * int(np.prod(w[1:]))
    transposed = node.op_type == "Gemm" and "transA" in node.attributes and node.attributes["transA"].as_int()
    return int(np.prod(y)) * (x[0] if transposed else x[-1])


def row_bytes(model: ir.Model, shapes: Shapes) -> int:
    """What running one sample for one step takes: bytes of the largest value, or an eighth of all if that is more."""
    sizes = [4 * int(np.prod(shapes[str(v.name)])) for n in model.graph for v in n.outputs if str(v.name) in shapes]
    return max(*sizes, sum(sizes) // 8, 1)


def count_work(spiking: ir.Model, layers: Mapping[str, int], rates: Mapping[str, float], n_steps: int) -> Work:
    """The spiking model's work.

    Args:
        spiking: the model.
        layers: multiply-adds by the name of a layer with weights.
        rates: spikes per neuron and step, by the name of a layer of neurons.
        n_steps: T.
    """
    analog = 0
    operations = dict.fromkeys(rates, 0.0)
    for node in spiking.graph:
        products = layers.get(str(node.name), 0)
        if not products or node.op_type not in _WEIGHTED:
            continue
        found = _sources(node)
        if None in found or not found:
            analog += products
            continue
        for name in found:
            if name is not None:
                operations[name] += products * n_steps * rates[name] / len(found)
    return Work(sum(layers.values()), analog, sum(operations.values()), operations)


def _sources(layer: ir.Node) -> set[str | None]:
    """Names of the layers of neurons whose spikes reach a layer; None stands for anything analog."""
    found: set[str | None] = set()
    seen: set[ir.Node] = set()
    pending = [value for value in layer.inputs[: 2 if layer.op_type == "MatMul" else 1] if value is not None]
    while pending:
        value = pending.pop()
        node = value.producer()
        if value.const_value is not None or (node is not None and facts(node).reads_shape):
            continue
        if node is None or node.op_type in ("RunningDifference", *_WEIGHTED):
            found.add(None)
        elif node.domain == DOMAIN and node.op_type in SPIKING:
            found.add(str(node.name))
        elif node not in seen:
            seen.add(node)
            pending.extend(v for v in node.inputs if v is not None)
    return found
