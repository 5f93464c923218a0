"""What a neuron is to the converter: how it takes an activation's place in a graph, and which numbers it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import onnx_ir as ir

from converter.rules import Site


@dataclass(frozen=True)
class Placed:
    """A neuron in a graph.

    Attributes:
        node: of our operator.
        x: what the activation was applied to.
        constants: other numbers that calibration sets, by name.
    """

    node: ir.Node
    x: ir.Value
    constants: Mapping[str, ir.Value] = field(default_factory=dict)


class Neuron(ABC):
    """A kind of neuron.

    Attributes:
        name: as the command line and the rules call it.
        op_type: the operator in the graph.
    """

    name: ClassVar[str]
    op_type: ClassVar[str]

    @abstractmethod
    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Puts the neuron where the activation is; its numbers are placeholders until they are calibrated."""


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
    if not keep_activation:
        graph.remove(site.nodes, safe=True)
