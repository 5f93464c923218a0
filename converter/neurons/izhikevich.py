"""Izhikevich: two equations that fire like cortical neurons; regular spiking."""

from __future__ import annotations

from converter.neurons._fitted import FittedNeuron
from snn_ops.ops import OPERATORS


class IzhikevichNeuron(FittedNeuron):
    """nengo.Izhikevich with its default parameters, from rest: voltage = reset_voltage, recovery = coupling * voltage.

    Args:
        dt: length of a time step in seconds.
    """

    op_type = "Izhikevich"
    threshold_current = 4.0
    has_refractory_time = False

    def __init__(self, dt: float) -> None:
        defaults = OPERATORS[self.op_type].defaults
        voltage = float(defaults["reset_voltage"])
        super().__init__({"dt": dt}, {"voltage": voltage, "recovery": float(defaults["coupling"]) * voltage})
