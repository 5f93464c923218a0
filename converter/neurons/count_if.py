"""CountIF for any activation, in the two-phase schedule: takes in all T steps, then fires.

Relu(x) -> CountIF(x); any other f(x) -> CountIF(f(x)), signed. The result is f in steps of threshold / T.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph import operator_node
from converter.neurons._neuron import Neuron, Placed, take_over
from converter.rules import Site


class CountIFNeuron(Neuron):
    """Counts the spikes of all steps at once.

    Args:
        max_spikes: most spikes in one step.
    """

    op_type = "CountIF"

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Stays below 0 only for Relu, which it is by itself."""
        is_relu = site.rule.activation == "Relu"
        attributes = {"max_spikes": self.max_spikes, "signed": int(not is_relu)}
        x = site.x if is_relu else site.y
        node = operator_node(graph, self.op_type, site.name, x, n_steps, attributes=attributes)
        take_over(graph, site, [node], node.outputs[0], keep_activation=not is_relu)
        return Placed(node, site.x, node.outputs[0])
