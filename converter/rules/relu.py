"""Relu: y = max(x, 0). The mean of an IF neuron's spikes is exactly that, in steps of threshold / T.

Also as Max(x, 0), Clip(x, 0, none) and the like.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import FITTED, Rule


class ReluRule(Rule):
    """``Relu``."""

    activation = "Relu"
    op_types = ("Relu",)
    neurons = ("if-burst", "if", "if-signed", "sigma-delta", "few-spike", *FITTED)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Exactly max(x, 0): IF neurons do not keep the function in the graph, so a factor is not allowed."""
        return bool(np.allclose(y, np.maximum(x, 0), rtol=1e-6, atol=1e-6))
