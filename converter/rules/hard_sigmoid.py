"""HardSigmoid: y = max(0, min(1, alpha x + beta)). Spikes track it.

Also as Clip(x + 3, 0, 6) / 6.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class HardSigmoidRule(Rule):
    """``HardSigmoid``."""

    activation = "HardSigmoid"
    op_types = ("HardSigmoid",)
    neurons = ("sigma-delta", "few-spike")
    saturates_at = 3.0
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.clip(x / 6 + 0.5, 0, 1), np.clip(0.2 * x + 0.5, 0, 1))
