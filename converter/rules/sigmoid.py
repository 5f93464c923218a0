"""Sigmoid: y = 1 / (1 + exp(-x)), in [0, 1]. Spikes track it; a LIF neuron fits it with its rate."""

from __future__ import annotations

from typing import Any

from converter.rules._rule import Rule


class SigmoidRule(Rule):
    """``Sigmoid(x)``."""

    activation = "Sigmoid"
    neurons = ("sigma-delta", "lif")
    saturates_at = 6.0

    def pattern(self, op: Any, x: Any) -> Any:
        return op.Sigmoid(x)
