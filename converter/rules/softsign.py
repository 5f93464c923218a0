"""Softsign: y = x / (1 + |x|). Signed spikes track it.

Also in pieces.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class SoftsignRule(Rule):
    """``Softsign``."""

    activation = "Softsign"
    op_types = ("Softsign",)
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x / (1 + np.abs(x)),)
