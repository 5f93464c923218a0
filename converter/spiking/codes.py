"""The codes: how spikes carry a value through time, and so what a graph needs around the neurons.

rate    The mean of the spikes up to now is the value. Linear layers pass means on, biases act in every step, a function that is
        not linear needs the mean in front of it and spikes behind it (`islands`), and the answer is a mean over time.
delta   The sum of the spikes up to now is the value. A neuron gives that sum, so a layer computes W sum + b, which is what a
        receiver holds that adds weighted spikes to its bias; any function may stand between two neurons, and the answer is the
        value at the last step.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A code.

    Attributes:
        name: as users say it.
        readout: the operator that takes a value out of time.
    """

    name: str
    readout: str


RATE = Code("rate", "TimeMean")
DELTA = Code("delta", "TimeLast")
OF_NAME = {code.name: code for code in (RATE, DELTA)}
READOUTS = tuple(code.readout for code in OF_NAME.values())
"""Operators that take a value out of time."""
