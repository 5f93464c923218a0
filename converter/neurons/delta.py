"""The neuron of the delta code, in front of layers with weights: MultiThreshold, or MultiThresholdSum in two phases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import free_name, operator_node, set_operand
from converter.graph.op_facts import facts
from converter.neurons.neuron import Neuron, Placed
from converter.options import FIRST_EXPONENT, IMAGE_REFINEMENT, MOST_EXPONENT, Options


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


@dataclass(frozen=True)
class Exponents:
    """How fine a schedule lets neurons send.

    Attributes:
        base: the finest exponent of an average layer, in the first step.
        most_base: what that grows to, from step to step; of a layer that begins finer, as much finer.
        image_refinement: how much finer images go that enter the network.
    """

    base: int
    most_base: int
    image_refinement: int


class DeltaNeuron(Neuron):
    """Sends a value's changes.

    Args:
        options: of the conversion. Stepped, the finest height is halved from step to step, in a stream down to a fixed one. In
            two phases a neuron sends at once all that it ever sends: of a single run that is one operator without a state, in a
            stream, whose steps are frames, up to n_steps spikes a step.
    """

    def __init__(self, options: Options) -> None:
        two_phase = options.schedule == "two-phase"
        super().__init__(options.n_steps if two_phase else 1)
        self._options = options
        self._is_stepped = not two_phase
        single_run = two_phase and not options.streaming
        self.op_type = "MultiThresholdSum" if single_run else "MultiThreshold"  # type: ignore[misc]

    @property
    def exponents(self) -> Exponents:
        """Those that the options name."""
        finest, streaming = self._options.finest, self._options.streaming
        image_refinement = 0 if streaming else IMAGE_REFINEMENT
        if not self._is_stepped:
            return Exponents(finest, finest, image_refinement)
        return Exponents(FIRST_EXPONENT, finest if streaming else MOST_EXPONENT, image_refinement)

    def numbers_from(self, options: Options) -> tuple[object, ...]:
        """How fine it may send; its threshold follows from the samples alone."""
        return (DeltaNeuron(options).exponents,)

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """x -> MultiThreshold(x), for the layers with weights and, unless skips are exact, for all who compute with x."""
        uses = [(user, index) for user, index in site.y.uses() if self._is_served(user)]
        several = {"max_spikes": self.max_spikes} if self.op_type == "MultiThreshold" else {}
        node = operator_node(graph, self.op_type, site.name, site.y, n_steps, attributes=several)
        node.name = node.outputs[0].name
        producer = site.y.producer()
        if producer is None:
            graph.insert_before(graph[0], node)
        else:
            graph.insert_after(producer, node)
        result = node.outputs[0]
        for user, index in uses:
            user.replace_input_with(index, result)
        result.shape, result.name = site.y.shape, free_name(graph, f"{site.y.name}_total")
        return Placed(site, self, node, site.x, result)

    @staticmethod
    def set_numbers(node: ir.Node, numbers: DeltaNumbers) -> None:
        """The neuron's parameters."""
        for name in ("threshold", "resting_value", "finest_exponent"):
            set_operand(node, name, getattr(numbers, name))
        if "refinements" in node.attributes:
            node.attributes["refinements"] = ir.AttrInt64("refinements", numbers.refinements)

    def _is_served(self, user: ir.Node) -> bool:
        if facts(user).reads_shape:
            return False
        return not self._options.exact_skips or facts(user).weighted or facts(user).recurrent
