"""IF for Relu: its mean over T steps is Relu(x) in steps of threshold / T, up to threshold * max_spikes.

* ``if``: one spike a step at most, none is taken back. Currents that arrive unevenly leave an error.
* ``if-signed``: spikes are taken back, so the count at step T is that of the mean current, however it arrived.
* ``if-burst``: signed, several spikes a step, so that the threshold is finer and large currents are not clipped.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph import operator_node
from converter.neurons._neuron import Neuron, Placed, take_over
from converter.rules import Site


class IFNeuron(Neuron):
    """Integrate and fire.

    Args:
        max_spikes: most spikes in one step.
        signed: spikes can be taken back.
    """

    op_type = "IF"

    def __init__(self, max_spikes: int = 1, *, signed: bool = False) -> None:
        super().__init__(max_spikes)
        self._attributes = {"max_spikes": max_spikes, "signed": int(signed)}

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Relu(x) -> IF(x)."""
        node = operator_node(graph, self.op_type, site.name, site.x, n_steps, attributes=self._attributes)
        take_over(graph, site, [node], node.outputs[0], keep_activation=False)
        return Placed(node, site.x, node.outputs[0])
