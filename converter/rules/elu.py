"""Elu: y = x for x > 0, else alpha (exp(x) - 1). Signed spikes track it."""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class EluRule(Rule):
    """``Elu``."""

    activation = "Elu"
    op_types = ("Elu",)
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.where(x > 0, x, np.expm1(np.minimum(x, 0))),)
