"""Sign: y = -1, 0, 1. Signed spikes track it; where x stays close to 0 the spikes go back and forth.

Binarised networks use it.
"""

from __future__ import annotations

from converter.rules._rule import Rule


class SignRule(Rule):
    """``Sign``."""

    activation = "Sign"
    op_types = ("Sign",)
    saturates_at = 1.0
    never_decreasing = True
