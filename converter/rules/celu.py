"""Celu: y = max(0, x) + min(0, alpha (exp(x / alpha) - 1)). Signed spikes track it."""

from __future__ import annotations

from converter.rules._rule import Rule


class CeluRule(Rule):
    """``Celu``."""

    activation = "Celu"
    op_types = ("Celu",)
    never_decreasing = True
