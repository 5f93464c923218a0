"""IF for Relu: its mean over T steps is Relu(x) in steps of threshold / T, up to the threshold."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph import operator_node
from converter.neurons._neuron import Neuron, Placed, take_over
from converter.rules import Site


class IFNeuron(Neuron):
    """Integrate and fire."""

    name = "if"
    op_type = "IF"

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Relu(x) -> IF(x)."""
        node = operator_node(graph, self.op_type, site.name, site.x, n_steps)
        take_over(graph, site, [node], node.outputs[0], keep_activation=False)
        return Placed(node, site.x)
