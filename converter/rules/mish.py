"""Mish: y = x tanh(log(1 + exp(x))). Not monotone; signed spikes track it.

Also in pieces.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class MishRule(Rule):
    """``Mish``."""

    activation = "Mish"
    op_types = ("Mish",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x * np.tanh(np.logaddexp(0, x)),)
