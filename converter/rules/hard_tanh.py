"""HardTanh: y = clip(x, -m, m). Signed spikes track it.

Written as Clip(x, -1, 1), Max(Min(x, 1), -1) and the like.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class HardTanhRule(Rule):
    """``HardTanh``."""

    activation = "HardTanh"
    saturates_at = 1.0
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """clip(x, low, high) with low < 0 < high."""
        low, high = float(y.min()), float(y.max())
        return x.min() < low < 0 < high < x.max() and bool(np.allclose(y, np.clip(x, low, high), rtol=1e-6, atol=1e-6))
