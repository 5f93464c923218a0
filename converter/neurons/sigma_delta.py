"""SigmaDelta for any activation f: signed spikes that track f of the running mean, so f itself stays in the graph."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph import operator_node
from converter.neurons._neuron import Neuron, Placed, take_over
from converter.rules import Site


class SigmaDeltaNeuron(Neuron):
    """Tracks a target with signed spikes."""

    name = "sigma-delta"
    op_type = "SigmaDelta"

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """f(x) -> SigmaDelta(f(x)); the pass for analog islands puts RunningMean in front of f."""
        node = operator_node(graph, self.op_type, site.name, site.y, n_steps)
        take_over(graph, site, [node], node.outputs[0], keep_activation=True)
        site.nodes[-1].name = f"{site.name}_function"
        return Placed(node, site.x)
