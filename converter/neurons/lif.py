"""LIF for Relu, Tanh, Sigmoid: gain and bias turn x into the current, amplitude and offset the rate into the activation.

    current = gain * x + bias
    f(x) ~ amplitude * rate(current) + offset

The four are fitted per channel (`converter.calibration.lif_fit`).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph import constant, operator_node
from converter.neurons._neuron import Neuron, Placed, take_over
from converter.rules import Site


class LIFNeuron(Neuron):
    """nengo.LIF.

    Args:
        tau_rc: membrane time constant in seconds.
        min_voltage: lowest membrane potential; below 0, a neuron remembers inhibition.
        dt: length of a time step in seconds.

    The refractory time is chosen when the layer is fitted.
    """

    op_type = "LIF"

    def __init__(self, tau_rc: float, min_voltage: float, dt: float) -> None:
        super().__init__()
        self.attributes: dict[str, float | int] = {"tau_rc": tau_rc, "min_voltage": min_voltage, "dt": dt}

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """f(x) -> LIF(gain * x + bias) + offset; the offset only where f takes negative values."""
        element = site.x.dtype.numpy() if site.x.dtype is not None else np.dtype(np.float32)
        zero = np.zeros((), element)
        names = ("gain", "bias", "offset") if needs_offset(site) else ("gain", "bias")
        constants = {name: constant(graph, f"{site.name}_{name}", zero) for name in names}
        scaled = _node("Mul", site.x, constants["gain"], f"{site.name}_scaled")
        current = _node("Add", scaled.outputs[0], constants["bias"], f"{site.name}_current")
        neuron = operator_node(graph, self.op_type, site.name, current.outputs[0], n_steps, attributes=self.attributes)
        new = [scaled, current, neuron]
        if "offset" in constants:
            new.append(_node("Add", neuron.outputs[0], constants["offset"], f"{site.name}_shifted"))
        take_over(graph, site, new, new[-1].outputs[0], keep_activation=False)
        return Placed(neuron, site.x, new[-1].outputs[0], constants)


def _node(op_type: str, x: ir.Value, number: ir.Value, name: str) -> ir.Node:
    output = ir.Value(name=name, type=x.type, shape=x.shape)
    return ir.node(op_type, [x, number], outputs=[output], name=name)


def needs_offset(site: Site) -> bool:
    """Whether the activation falls below 0, where no rate can follow."""
    return site.rule.activation == "Tanh"
