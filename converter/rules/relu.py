"""Relu: y = max(x, 0). An IF neuron's mean spike train is exactly that, quantised and clipped at its threshold."""

from __future__ import annotations

from typing import Any

from converter.rules._rule import Rule


class ReluRule(Rule):
    """``Relu(x)``."""

    activation = "Relu"
    neurons = ("if", "lif", "sigma-delta")

    def pattern(self, op: Any, x: Any) -> Any:
        return op.Relu(x)
