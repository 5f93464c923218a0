"""Selu: y = gamma x for x > 0, else gamma alpha (exp(x) - 1), with the two numbers of self-normalising networks.

Signed spikes track it.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class SeluRule(Rule):
    """``Selu``."""

    activation = "Selu"
    op_types = ("Selu",)
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),)
