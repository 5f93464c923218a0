"""Tanh: y = tanh(x), in [-1, 1]. Signed spikes track it; a LIF neuron fits tanh(x) + 1 with its rate."""

from __future__ import annotations

import numpy as np

from converter.rules._rule import FITTED, Rule


class TanhRule(Rule):
    """``Tanh``."""

    activation = "Tanh"
    op_types = ("Tanh",)
    neurons = ("sigma-delta", *FITTED)
    saturates_at = 3.0
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.tanh(x),)
