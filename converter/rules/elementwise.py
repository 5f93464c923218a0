"""Any other function of one signal, element by element: sin(x), x^2, exp(x) and what no rule above names. Spikes track it."""

from __future__ import annotations

from converter.rules._functions import ElementwiseFunction
from converter.rules._rule import Rule


class ElementwiseRule(Rule):
    """``Function``."""

    activation = "Function"

    def matches(self, function: ElementwiseFunction) -> bool:
        """Everything: this rule comes last."""
        return True
