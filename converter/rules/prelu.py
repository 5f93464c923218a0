"""PRelu: y = x for x > 0, else a x with a trained slope a per channel. Signed spikes track it."""

from __future__ import annotations

from converter.rules._rule import Rule


class PReluRule(Rule):
    """``PRelu``."""

    activation = "PRelu"
    op_types = ("PRelu",)
