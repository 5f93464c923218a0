"""Sigmoid: y = 1 / (1 + exp(-x)), in [0, 1]. Spikes track it; a LIF neuron fits it with its rate."""

from __future__ import annotations

import numpy as np

from converter.rules._rule import FITTED, Rule


class SigmoidRule(Rule):
    """``Sigmoid``."""

    activation = "Sigmoid"
    op_types = ("Sigmoid",)
    neurons = ("sigma-delta", "few-spike", *FITTED)
    saturates_at = 6.0
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (0.5 * (1 + np.tanh(x / 2)),)
