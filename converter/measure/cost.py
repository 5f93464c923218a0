"""How much there is to compute: multiply-adds of the trained model, synaptic operations of the spiking one.

A synaptic operation is an addition that a spike causes: a spike reaches as many as the layer after it has multiply-adds
per input value. So a layer with weights that receives spikes costs   multiply-adds x spikes per neuron and step x T.   A layer
that receives something analog (the model's input, islands) costs multiply-adds, as in the trained model.

Energy: 4.6 pJ for a float32 multiply-add and 0.9 pJ for an addition, in 45 nm. Source: M. Horowitz, Computing's energy problem,
ISSCC 2014. Memory traffic, which dominates on real chips, is not counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import onnx_ir as ir

from converter.graph.op_facts import facts
from converter.graph.shapes import Shapes
from converter.measure.instruments import emits_spikes

PICOJOULE_PER_MULTIPLY_ADD = 4.6
PICOJOULE_PER_ADDITION = 0.9


@dataclass(frozen=True)
class WorkTotals:
    """What `Work` comes to, as the file's metadata keep it.

    Attributes:
        multiply_adds: of the trained model.
        analog: those that stay multiply-adds in the spiking model.
        synaptic_operations: additions that spikes cause in T steps.
        energy_ratio: `Work.energy_ratio`.
    """

    multiply_adds: int
    analog: int
    synaptic_operations: float
    energy_ratio: float | None


@dataclass(frozen=True)
class Work:
    """Per sample.

    Attributes:
        multiply_adds: of the trained model.
        analog_multiply_adds: those that stay multiply-adds in the spiking model.
        synaptic_operations: additions that spikes cause in T steps.
        by_layer: those of each layer of neurons; a layer that several feed counts for each of them in equal parts.
    """

    multiply_adds: int
    analog_multiply_adds: int
    synaptic_operations: float
    by_layer: Mapping[str, float]

    def summary(self) -> dict[str, float | None]:
        """The totals, ready for JSON."""
        return asdict(self.totals())

    def totals(self) -> WorkTotals:
        """The totals."""
        return WorkTotals(self.multiply_adds, self.analog_multiply_adds, self.synaptic_operations, self.energy_ratio)

    @property
    def analog(self) -> int:
        """The old name of `analog_multiply_adds`."""
        warnings.warn("Work.analog is now called Work.analog_multiply_adds", DeprecationWarning, stacklevel=2)
        return self.analog_multiply_adds

    @property
    def energy_ratio(self) -> float | None:
        """Energy of the spiking model as a share of the trained model's, counted as above."""
        if not self.multiply_adds:
            return None
        spent = (
            self.analog_multiply_adds * PICOJOULE_PER_MULTIPLY_ADD + self.synaptic_operations * PICOJOULE_PER_ADDITION
        )
        return spent / (self.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD)


def multiply_adds(model: ir.Model, shapes: Shapes, samples: int) -> dict[str, int]:
    """Multiply-adds per sample of every layer with weights, by the node's name.

    Args:
        model: the trained model.
        shapes: every value's shape for that many samples.
        samples: their number.
    """
    return {
        str(node.name): round(multiply_adds_of(node, shapes) / samples) for node in model.graph if facts(node).weighted
    }


def multiply_adds_of(node: ir.Node, shapes: Shapes) -> int:
    """Multiply-adds of one layer with weights, for all rows of its input; 0 where a shape is not known.

    Args:
        node: the layer.
        shapes: of its inputs and outputs, by name.
    """
    if node.op_type == "Einsum":
        return _einsum_products(node, shapes)
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


def _einsum_products(node: ir.Node, shapes: Shapes) -> int:
    """The product of the lengths of all letters; "..." stands for the same axes in every operand, aligned at the right."""
    terms = node.attributes["equation"].as_string().replace(" ", "").partition("->")[0].split(",")
    lengths: dict[str | int, int] = {}
    for term, value in zip(terms, node.inputs, strict=True):
        shape = shapes.get(str(value.name)) if value is not None else None
        if shape is None:
            return 0
        before, dots, after = term.partition("...")
        others = range(-(len(shape) - len(before) - len(after)), 0) if dots else ()
        for letter, length in zip((*before, *others, *after), shape, strict=True):
            lengths[letter] = max(lengths.get(letter, 1), length)
    return int(np.prod(list(lengths.values()))) if len(terms) > 1 else 0


def row_bytes(model: ir.Model, shapes: Shapes) -> int:
    """What running one sample for one step takes: bytes of the largest value, or an eighth of all if that is more."""
    sizes = [4 * int(np.prod(shapes[str(v.name)])) for n in model.graph for v in n.outputs if str(v.name) in shapes]
    return max(*sizes, sum(sizes) // 8, 1)


def count_work(spiking: ir.Model, products: Mapping[str, int], rates: Mapping[str, float], n_steps: int) -> Work:
    """The spiking model's work.

    Args:
        spiking: the model.
        products: multiply-adds by the name of a layer with weights.
        rates: spikes per neuron and step, by the name of a layer of neurons.
        n_steps: T.
    """
    analog = 0
    operations = dict.fromkeys(rates, 0.0)
    for node in spiking.graph:
        multiplications = products.get(str(node.name), 0)
        if not multiplications or not facts(node).weighted:
            continue
        sources = _sources(node)
        if None in sources or not sources:
            analog += multiplications
            continue
        for name in sources:
            if name is not None:
                operations[name] += multiplications * n_steps * rates[name] / len(sources)
    return Work(sum(products.values()), analog, sum(operations.values()), operations)


def _sources(layer: ir.Node) -> set[str | None]:
    """Names of the layers of neurons whose spikes reach a layer; None stands for anything analog."""
    sources: set[str | None] = set()
    seen: set[ir.Node] = set()
    signals = layer.inputs if layer.op_type in ("MatMul", "Einsum") else layer.inputs[:1]
    pending = [value for value in signals if value is not None]
    while pending:
        value = pending.pop()
        node = value.producer()
        if value.const_value is not None or (node is not None and facts(node).reads_shape):
            continue
        if node is None or node.op_type == "RunningDifference" or facts(node).weighted:
            sources.add(None)
        elif emits_spikes(node):
            sources.add(str(node.name))
        elif node not in seen:
            seen.add(node)
            pending.extend(v for v in node.inputs if v is not None)
    return sources
