"""The neurons of the two-phase schedule: each layer receives all T steps, then fires.

* CountIF for any activation: Relu(x) -> CountIF(x); any other f(x) -> CountIF(f(x)), signed. The result is f in steps of
  threshold / T.
* FewSpikeMean for activations that are never negative: T binary digits, at most T spikes, whose mean is what goes on.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import operator_node, set_operand
from converter.neurons.neuron import Neuron, Placed, take_over


class CountIFNeuron(Neuron):
    """Counts the spikes of all steps at once.

    Args:
        max_spikes: most spikes in one step.
    """

    op_type = "CountIF"

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Stays below 0 only for Relu, which it is by itself."""
        is_relu = site.activation.is_relu
        attributes = {"max_spikes": self.max_spikes, "signed": int(not is_relu)}
        x = site.x if is_relu else site.y
        node = operator_node(graph, self.op_type, site.name, x, n_steps, attributes=attributes)
        take_over(graph, site, [node], node.outputs[0], keep_activation=not is_relu)
        return Placed(site, self, node, site.x, node.outputs[0])


class FewSpikeNeuron(Neuron):
    """Few-spike code."""

    op_type = "FewSpikeMean"

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Relu(x) -> FewSpikeMean(x); any other f(x) -> FewSpikeMean(f(x))."""
        is_relu = site.activation.is_relu
        node = operator_node(graph, self.op_type, site.name, site.x if is_relu else site.y, n_steps)
        take_over(graph, site, [node], node.outputs[0], keep_activation=not is_relu)
        return Placed(site, self, node, site.x, node.outputs[0])

    def set_range(self, placed: Placed, top: np.ndarray) -> None:
        """The value of the digits before the point; as much again in reserve as `top`."""
        set_operand(placed.node, "scale", 2 * top)
