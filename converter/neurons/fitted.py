"""Biological neurons: gain and bias turn x into the current, amplitude and offset the firing rate into the activation.

    current = gain * x + bias
    f(x) ~ amplitude * rate(current) + offset

The four are fitted per channel (`converter.calibration.rate_fit`), for Relu, Tanh, Sigmoid and the like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
from converter.graph.build import constant, free_name, operator_node
from converter.neurons.neuron import AMPLITUDE_AFTER, Neuron, Placed, take_over
from converter.options import Options
from snn_ops.ops import OPERATORS


class FittedNeuron(Neuron):
    """A neuron with an `amplitude` whose firing rate is fitted to the activation.

    Args:
        attributes: of the operator, except the refractory time, which is chosen when the layer is fitted.

    Attributes:
        threshold_current: the current about which a neuron begins to fire.
        amplitude_follows: the amplitude is a product after the neuron, because the neuron's own state depends on its spikes'
            height.
    """

    threshold_current: ClassVar[float] = 1.0
    amplitude_follows: ClassVar[bool] = False

    def __init__(self, attributes: Mapping[str, float]) -> None:
        super().__init__()
        self.attributes = attributes

    @property
    def has_refractory_time(self) -> bool:
        """Whether the operator has the attribute `tau_ref`."""
        return "tau_ref" in OPERATORS[self.op_type].defaults

    def numbers_from(self, options: Options) -> tuple[object, ...]:
        """Its rates, too, are fitted in units of a range."""
        return (*super().numbers_from(options), options.tau_ref if self.has_refractory_time else None)

    def states_at_rest(self) -> dict[str, np.ndarray]:
        """The operator's states before a run, by name."""
        operator = OPERATORS[self.op_type]
        attributes = operator.checked_attributes(self.attributes)
        return {state.name: np.asarray(state.at_rest(attributes), np.float32) for state in operator.states}

    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """f(x) -> neuron(gain * x + bias) + offset; the offset only where f takes negative values."""
        element = site.x.dtype.numpy() if site.x.dtype is not None else np.dtype(np.float32)
        names = [
            "gain",
            "bias",
            *([AMPLITUDE_AFTER] if self.amplitude_follows else []),
            *(["offset"] if site.activation.below_0 else []),
        ]
        constants = {name: constant(graph, f"{site.name}_{name}", np.zeros((), element)) for name in names}
        scaled = _node(graph, "Mul", site.x, constants["gain"], f"{site.name}_scaled")
        current = _node(graph, "Add", scaled.outputs[0], constants["bias"], f"{site.name}_current")
        operands = {"amplitude": np.ones(()), **self.states_at_rest()}
        neuron = operator_node(graph, self.op_type, site.name, current.outputs[0], n_steps, operands, self.attributes)
        new = [scaled, current, neuron]
        if self.amplitude_follows:
            new.append(_node(graph, "Mul", new[-1].outputs[0], constants[AMPLITUDE_AFTER], f"{site.name}_weighted"))
        if "offset" in constants:
            new.append(_node(graph, "Add", new[-1].outputs[0], constants["offset"], f"{site.name}_shifted"))
        take_over(graph, site, new, new[-1].outputs[0], keep_activation=False)
        return Placed(site, self, neuron, site.x, new[-1].outputs[0], constants)


def _node(graph: ir.Graph, op_type: str, x: ir.Value, number: ir.Value, name: str) -> ir.Node:
    name = free_name(graph, name)
    output = ir.Value(name=name, type=x.type, shape=x.shape)
    return ir.node(op_type, [x, number], outputs=[output], name=name)


class LIFNeuron(FittedNeuron):
    """nengo.LIF.

    Args:
        tau_rc: membrane time constant in seconds.
        min_voltage: lowest membrane potential; below 0, a neuron remembers inhibition.
        dt: length of a time step in seconds.
    """

    op_type = "LIF"

    def __init__(self, tau_rc: float, min_voltage: float, dt: float) -> None:
        super().__init__({"tau_rc": tau_rc, "min_voltage": min_voltage, "dt": dt})


class AdaptiveLIFNeuron(FittedNeuron):
    """nengo.AdaptiveLIF.

    Args:
        tau_rc, min_voltage, dt: as for `LIFNeuron`.
        tau_n: time constant of the adaptation in seconds.
        inc_n: how much of a spike's height the adaptation takes up.
    """

    op_type = "AdaptiveLIF"
    amplitude_follows = True

    def __init__(self, tau_rc: float, min_voltage: float, dt: float, tau_n: float, inc_n: float) -> None:
        super().__init__({"tau_rc": tau_rc, "min_voltage": min_voltage, "dt": dt, "tau_n": tau_n, "inc_n": inc_n})


class IzhikevichNeuron(FittedNeuron):
    """nengo.Izhikevich with its default parameters, from rest: voltage = reset_voltage, recovery = coupling * voltage.

    Args:
        dt: length of a time step in seconds.
    """

    op_type = "Izhikevich"
    threshold_current = 4.0

    def __init__(self, dt: float) -> None:
        super().__init__({"dt": dt})
