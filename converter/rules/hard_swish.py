"""HardSwish: y = x clip(x / 6 + 1/2, 0, 1). Not monotone; signed spikes track it.

Also as x HardSigmoid(x) and x Clip(x + 3, 0, 6) / 6.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class HardSwishRule(Rule):
    """``HardSwish``."""

    activation = "HardSwish"
    op_types = ("HardSwish",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x * np.clip(x / 6 + 0.5, 0, 1),)
