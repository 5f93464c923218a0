"""What a neuron is to the converter: how it takes an activation's place in a graph, and which numbers it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import set_operand


@dataclass(frozen=True)
class Placed:
    """A neuron in a graph.

    Attributes:
        node: of our operator.
        x: what the activation was applied to.
        y: the neuron's result, which stands for the activation.
        constants: other numbers that calibration sets, by name.
    """

    node: ir.Node
    x: ir.Value
    y: ir.Value
    constants: Mapping[str, ir.Value] = field(default_factory=dict)


class Neuron(ABC):
    """A kind of neuron.

    Attributes:
        op_type: the operator in the graph.
        tracks_function: the activation stays in the graph, in front of the neuron.
    """

    op_type: ClassVar[str]
    tracks_function: ClassVar[bool] = False

    def __init__(self, max_spikes: int = 1) -> None:
        self.max_spikes = max_spikes

    @property
    def levels(self) -> int:
        """Spikes a step that stand for the top of a layer's calibrated range; bursts keep as many again in reserve."""
        return (self.max_spikes + 1) // 2

    @abstractmethod
    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Puts the neuron where the activation is; its numbers are placeholders until they are calibrated."""

    def set_range(self, placed: Placed, top: np.ndarray) -> None:
        """Gives the neuron its threshold: ``top`` is the activation that `levels` spikes in every step stand for."""
        threshold = top / self.levels
        set_operand(placed.node, "threshold", threshold)
        set_operand(placed.node, "voltage", threshold / 2)


def take_over(graph: ir.Graph, site: Site, new: list[ir.Node], result: ir.Value, *, keep_activation: bool) -> None:
    """Inserts `new` behind the activation; all users of the activation, and its name, go over to `result`."""
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
    y.name, result.name = f"{y.name}_analog", y.name
    if keep_activation:
        last.name = f"{site.name}_function"
    else:
        graph.remove(site.nodes, safe=True)
