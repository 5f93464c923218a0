"""SiLU: y = x / (1 + exp(-x)). Not monotone; signed spikes track it.

ONNX has it as Mul(x, Sigmoid(x)), from opset 24 as Swish.
"""

from __future__ import annotations

import numpy as np

from converter.rules._rule import Rule


class SiLURule(Rule):
    """``SiLU``."""

    activation = "SiLU"
    op_types = ("Swish",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x * 0.5 * (1 + np.tanh(x / 2)),)
