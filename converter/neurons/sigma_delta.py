"""SigmaDelta for any activation f: signed spikes that track f of the running mean, so f itself stays in the graph."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph import operator_node, set_operand
from converter.neurons._neuron import Neuron, Placed, take_over
from converter.rules import Site


class SigmaDeltaNeuron(Neuron):
    """Tracks a target with signed spikes.

    Args:
        max_spikes: most spikes of either sign in one step.
    """

    op_type = "SigmaDelta"
    tracks_function = True

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """f(x) -> SigmaDelta(f(x)); the pass for analog islands puts RunningMean in front of f."""
        attributes = {"max_spikes": self.max_spikes}
        node = operator_node(graph, self.op_type, site.name, site.y, n_steps, attributes=attributes)
        take_over(graph, site, [node], node.outputs[0], keep_activation=True)
        return Placed(node, site.x, node.outputs[0])

    def set_range(self, placed: Placed, top: np.ndarray) -> None:
        """The threshold; there is no voltage, SigmaDelta rounds to nearest by itself."""
        set_operand(placed.node, "threshold", top / self.levels)
