"""Gelu: y = x (1 + erf(x / sqrt(2))) / 2. Not monotone; signed spikes track it.

Also in pieces, with Erf, with Tanh (its approximation), and as x Sigmoid(1.702 x).
"""

from __future__ import annotations

import math

import numpy as np

from converter.rules._rule import Rule


class GeluRule(Rule):
    """``Gelu``."""

    activation = "Gelu"
    op_types = ("Gelu",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (
            np.asarray([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x]),
            0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
            x * 0.5 * (1 + np.tanh(0.851 * x)),
        )
