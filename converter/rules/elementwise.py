"""Any other function of one signal, element by element: sin(x), x^2, exp(x) and what no rule above names. Spikes track it."""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class ElementwiseRule(Rule):
    """``Function``."""

    activation = "Function"

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Any values: this rule comes last."""
        return True
