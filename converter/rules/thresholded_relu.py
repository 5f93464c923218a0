"""ThresholdedRelu: y = x for x > alpha, else 0. Spikes track it."""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class ThresholdedReluRule(Rule):
    """``ThresholdedRelu``."""

    activation = "ThresholdedRelu"
    op_types = ("ThresholdedRelu",)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """x from some alpha > 0 on, 0 below."""
        passing = y > 0
        alpha = float(x[passing].min(initial=np.inf))
        return 0.1 < alpha < x.max() and bool(np.allclose(y, np.where(x >= alpha, x, 0), rtol=1e-6, atol=1e-6))
