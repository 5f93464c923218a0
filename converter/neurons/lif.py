"""LIF: leaky integrate and fire."""

from __future__ import annotations

from converter.neurons._fitted import FittedNeuron


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
