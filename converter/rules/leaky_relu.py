"""LeakyRelu: y = max(x, a x), 0 < a < 1. Signed spikes track it.

Also as Max(x, a x), Relu(x) - a Relu(-x) with one slope, and Where(x > 0, x, a x).
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class LeakyReluRule(Rule):
    """``LeakyRelu``."""

    activation = "LeakyRelu"
    op_types = ("LeakyRelu",)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Two straight lines that meet in 0, the left one less steep."""
        right, left = (float(y[np.argmin(np.abs(x - at))]) for at in (1.0, -1.0))
        slope = -left / right if right > 0 else 0.0
        return 0 < slope < 1 and bool(np.allclose(y, right * np.maximum(x, slope * x), rtol=1e-5, atol=1e-5))
