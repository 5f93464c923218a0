"""Tanh: y = tanh(x), in [-1, 1]. Signed spikes track it; a LIF neuron fits tanh(x) + 1 with its rate."""

from __future__ import annotations

from typing import Any

from converter.rules._rule import Rule


class TanhRule(Rule):
    """``Tanh(x)``."""

    activation = "Tanh"
    neurons = ("sigma-delta", "lif")
    saturates_at = 3.0

    def pattern(self, op: Any, x: Any) -> Any:
        return op.Tanh(x)
