"""Softplus: y = log(1 + exp(x)). Spikes track it.

Also in pieces.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class SoftplusRule(Rule):
    """``Softplus``."""

    activation = "Softplus"
    op_types = ("Softplus",)
    neurons = ("sigma-delta", "few-spike")
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.logaddexp(0, x),)
