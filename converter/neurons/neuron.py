"""What a neuron is to the converter: how it takes an activation's place in a graph, and which numbers it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import free_name, operand, set_operand
from converter.options import AUTO, Options
from snn_ops.ops import OPERATORS, Unit


@dataclass(frozen=True)
class Placed:
    """A neuron in a graph.

    Attributes:
        site: the activation whose place it took, in the trained model.
        neuron: its kind.
        node: of the spiking operator.
        x: what the activation was applied to.
        y: the neuron's result, which stands for the activation.
        constants: other numbers that calibration sets, by name.
    """

    site: Site
    neuron: Neuron
    node: ir.Node
    x: ir.Value
    y: ir.Value
    constants: Mapping[str, ir.Value] = field(default_factory=dict)

    def spike_heights(self) -> np.ndarray:
        """How high a spike is: one number per channel, or one for all."""
        height = OPERATORS[self.node.op_type].height
        assert height is not None
        factors = [operand(self.node, height.parameter)]
        if AMPLITUDE_AFTER in self.constants:
            factors.append(self.constants[AMPLITUDE_AFTER])
        heights: np.ndarray = np.ones(())
        for factor in factors:
            assert factor.const_value is not None
            heights = heights * np.abs(factor.const_value.numpy().astype(np.float64))
        return heights / self.node.attributes["dt"].as_float() if height.per_dt else heights


AMPLITUDE_AFTER = "amplitude"
"""The constant that multiplies the spikes after the neuron, where the neuron's own state depends on their height."""


class Neuron(ABC):
    """A kind of neuron.

    Attributes:
        op_type: the operator in the graph.
    """

    op_type: ClassVar[str]

    def __init__(self, max_spikes: int = 1) -> None:
        self.max_spikes = max_spikes

    @property
    def levels(self) -> int:
        """Spikes a step that stand for the top of a layer's calibrated range; bursts keep as many again in reserve."""
        return (self.max_spikes + 1) // 2

    def numbers_from(self, options: Options) -> tuple[object, ...]:
        """What calibration takes of a layer's options for this neuron's numbers."""
        ranges = (options.method, options.percentile if options.method in (AUTO, "percentile") else None)
        return (*ranges, options.correction if self.takes(options.correction) else None)

    def takes(self, correction: str) -> bool:
        """Whether a correction is possible: its input is in units of its spikes, and it has the voltage that one shifts."""
        operator = OPERATORS[self.op_type]
        counts = operator.height is not None and operator.height.unit is Unit.COUNTED and not operator.height.per_dt
        has_voltage = "voltage" in (tensor.name for tensor in operator.inputs)
        return counts and (correction in ("bias", AUTO) or (correction == "potential" and has_voltage))

    @abstractmethod
    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Puts the neuron where the activation is; its numbers are placeholders until they are calibrated.

        Args:
            graph: of the model that becomes a spiking one.
            site: the activation in that graph.
            n_steps: the model's input of that name.
        """

    def set_range(self, placed: Placed, top: np.ndarray) -> None:
        """Gives the neuron its threshold: ``top`` is the activation that `levels` spikes in every step stand for."""
        threshold = top / self.levels
        set_operand(placed.node, "threshold", threshold)
        set_operand(placed.node, "voltage", threshold / 2)


def take_over(graph: ir.Graph, site: Site, new: list[ir.Node], result: ir.Value, *, keep_activation: bool) -> None:
    """Inserts `new` after the activation; all users of the activation, and its name, go over to `result`."""
    last = site.nodes[-1]
    y = site.y
    uses = [(user, index) for user, index in y.uses() if user not in new]
    graph.insert_after(last, new)
    for user, index in uses:
        user.replace_input_with(index, result)
    for index, output in enumerate(graph.outputs):
        if output is y:
            graph.outputs[index] = result
    result.shape = y.shape
    y.name, result.name = free_name(graph, f"{y.name}_analog"), y.name
    if keep_activation:
        last.name = free_name(graph, f"{site.name}_function")
    else:
        graph.remove(site.nodes, safe=True)
