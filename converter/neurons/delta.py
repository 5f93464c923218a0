"""The neuron of the delta code, in front of layers with weights: MultiThreshold, or MultiThresholdSum in two phases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import operator_node, set_operand
from converter.graph.op_facts import facts
from converter.neurons.neuron import Neuron, Placed


@dataclass(frozen=True)
class DeltaNumbers:
    """What calibration says of a neuron; arrays broadcast against the value.

    Attributes:
        threshold, resting_value: in the value's own unit.
        finest_exponent: j of the smallest height 2^-j, in the first step.
        refinements: steps in each of which it grows by 1.
    """

    threshold: np.ndarray
    resting_value: np.ndarray
    finest_exponent: np.ndarray
    refinements: int


class DeltaNeuron(Neuron):
    """Sends a value's changes.

    Args:
        two_phase: it has its whole target before it sends.
        exact_skips: what is no layer with weights goes on reading the value itself, not what was sent.
    """

    def __init__(self, *, two_phase: bool, exact_skips: bool) -> None:
        super().__init__()
        self.op_type = "MultiThresholdSum" if two_phase else "MultiThreshold"  # type: ignore[misc]
        self._exact_skips = exact_skips

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """x -> MultiThreshold(x), for the layers with weights and, unless skips are exact, for all who compute with x."""
        uses = [(user, index) for user, index in site.y.uses() if self._is_served(user)]
        node = operator_node(graph, self.op_type, site.name, site.y, n_steps)
        node.name = f"{site.name}_{self.op_type}"
        producer = site.y.producer()
        if producer is None:
            graph.insert_before(graph[0], node)
        else:
            graph.insert_after(producer, node)
        result = node.outputs[0]
        for user, index in uses:
            user.replace_input_with(index, result)
        result.shape, result.name = site.y.shape, f"{site.y.name}_total"
        return Placed(site, self, node, site.x, result)

    def set_numbers(self, placed: Placed, numbers: DeltaNumbers) -> None:
        """The neuron's parameters."""
        for name in ("threshold", "resting_value", "finest_exponent"):
            set_operand(placed.node, name, getattr(numbers, name))
        if "refinements" in placed.node.attributes:
            placed.node.attributes["refinements"] = ir.AttrInt64("refinements", numbers.refinements)

    def _is_served(self, user: ir.Node) -> bool:
        if facts(user).reads_shape:
            return False
        return not self._exact_skips or facts(user).weighted or facts(user).recurrent
