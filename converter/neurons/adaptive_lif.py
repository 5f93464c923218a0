"""AdaptiveLIF: a LIF neuron whose current an adaptation is taken from, which its own spikes build up."""

from __future__ import annotations

from converter.neurons._fitted import FittedNeuron


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
