"""Neurons of the rate code, whose mean output is the activation: IF for Relu, SigmaDelta for any function.

IF's mean over T steps is Relu(x) in steps of threshold / T, up to threshold * max_spikes:

* ``if``: one spike a step at most, none is taken back. Currents that arrive unevenly leave an error.
* ``if-signed``: spikes are taken back, so the count at step T is that of the mean current, however it arrived.
* ``if-burst``: signed, several spikes a step, so that the threshold is finer and large currents are not clipped.

SigmaDelta sends signed spikes that track f of the running mean, so f itself stays in the graph.

All of these remember every earlier input. In streams whose input changes BoundedIF takes their place: of IF's, and, signed and
driven by f of a mean that forgets, of SigmaDelta's.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import operator_node, set_operand
from converter.neurons.neuron import Neuron, Placed, take_over

MEMORY = 1 / 8
"""Of BoundedIF, as a share of what it sends at most in a layer's range: spikes that arrive unevenly need some, an input that is
over leaves no more than this."""


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
        return Placed(site, self, node, site.x, node.outputs[0])


class SigmaDeltaNeuron(Neuron):
    """Tracks a target with signed spikes.

    Args:
        max_spikes: most spikes of either sign in one step.
    """

    op_type = "SigmaDelta"

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """f(x) -> SigmaDelta(f(x)); `converter.spiking.islands` puts RunningMean before f."""
        attributes = {"max_spikes": self.max_spikes}
        node = operator_node(graph, self.op_type, site.name, site.y, n_steps, attributes=attributes)
        take_over(graph, site, [node], node.outputs[0], keep_activation=True)
        return Placed(site, self, node, site.x, node.outputs[0])

    def set_range(self, placed: Placed, top: np.ndarray) -> None:
        """The threshold; there is no voltage, SigmaDelta rounds to nearest by itself."""
        set_operand(placed.node, "threshold", top / self.levels)


class BoundedIFNeuron(Neuron):
    """Integrate and fire with bounded memory, for a readout that forgets.

    Args:
        max_spikes: most spikes in one step.
        of_function: any function of the mean, of either sign, drives it; else its current does, and it stands for Relu.
    """

    op_type = "BoundedIF"

    def __init__(self, max_spikes: int = 1, *, of_function: bool = False) -> None:
        super().__init__(max_spikes)
        self._of_function = of_function
        self._attributes = {"max_spikes": max_spikes, "signed": int(of_function), "memory": MEMORY * self.levels}

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Relu(x) -> BoundedIF(x); f(x) -> BoundedIF(f(x)), where `converter.spiking.islands` puts LeakyMean before f."""
        x = site.y if self._of_function else site.x
        node = operator_node(graph, self.op_type, site.name, x, n_steps, attributes=self._attributes)
        take_over(graph, site, [node], node.outputs[0], keep_activation=self._of_function)
        return Placed(site, self, node, site.x, node.outputs[0])
