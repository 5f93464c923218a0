"""The codes: how spikes carry a value through time, and so what a graph needs around the neurons.

rate    The mean of the spikes up to now is the value. Linear layers pass means on, biases act in every step, a function that is
        not linear needs the mean in front of it and spikes behind it (`islands`), and the answer is a mean over time.
delta   The sum of the spikes up to now is the value. A neuron gives that sum, so a layer computes W sum + b, which is what a
        receiver holds that adds weighted spikes to its bias; any function may stand between two neurons, and the answer is the
        value at the last step.

The rate code has two forms. In the usual one means are those of all steps since the run began. In streams whose input changes,
with a readout that forgets, they are `LeakyMean`s, the answer is what that gives at the last step, and what a function makes of
a mean goes on as a current as it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A code.

    Attributes:
        name: as users say it.
        readout: the operator that takes a value out of time.
        mean: the operator in front of what is not linear, which makes a value of the spikes up to now; "": they are one.
        difference: the operator behind it, which makes a current of that value; "": it is one.
        mean_read_out: the readout is of `mean`, not of the spikes.
    """

    name: str
    readout: str
    mean: str = ""
    difference: str = ""
    mean_read_out: bool = False


RATE = Code("rate", "TimeMean", "RunningMean", "RunningDifference")
FORGETTING = Code("rate", "TimeLast", "LeakyMean", mean_read_out=True)
"""The rate code in streams whose input changes."""
DELTA = Code("delta", "TimeLast")
OF_NAME = {code.name: code for code in (RATE, DELTA)}
READOUTS = tuple(code.readout for code in OF_NAME.values())
"""Operators that take a value out of time."""
