"""Clip from 0: y = min(max(x, 0), m), e.g. Relu6. Spikes track it; an IF neuron of one spike a step clips by itself.

Also as Min(Relu(x), m).
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import FITTED, Rule


class ClipRule(Rule):
    """``Clip``."""

    activation = "Clip"
    neurons = ("sigma-delta", "if", "if-signed", "few-spike", *FITTED)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Exactly max(x, 0) up to the largest value, which is then kept."""
        most = float(np.max(y, initial=0))
        return 0 < most < x.max() and bool(np.allclose(y, np.clip(x, 0, most), rtol=1e-6, atol=1e-6))
