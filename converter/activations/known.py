"""The activations that are recognised, by operator or by their values, and the neurons that can take their place."""

from __future__ import annotations

import math
from abc import ABC
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from converter.activations.functions import ElementwiseFunction, find_functions
from converter.graph.batch_axis import BatchAxes
from converter.options import FITTED

NEAR = np.linspace(-8, 8, 321)
FAR = np.concatenate([-np.logspace(5, 1, 9), np.logspace(1, 5, 9)])
"""Where functions are compared; far from 0 a Relu and a Clip differ, and an exporter's Exp may overflow."""
TOLERANCE = 2e-3
"""Exporters' approximations of Gelu differ by less from the form they approximate, other activations by more."""


class Rule(ABC):
    """Activation -> neuron.

    Attributes:
        activation: the name used in reports.
        op_types: the ONNX operators that are this activation, whatever their attributes.
        neurons: the neurons that can take its place, by name; the first is the default.
        saturates_at: the |x| from which the activation hardly changes, None if it goes on.
        never_decreasing: x <= x' means f(x) <= f(x').
    """

    activation: ClassVar[str]
    op_types: ClassVar[tuple[str, ...]] = ()
    neurons: ClassVar[tuple[str, ...]] = ("sigma-delta",)
    saturates_at: ClassVar[float | None] = None
    never_decreasing: ClassVar[bool] = False

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """The activation's values at ``x``, in each form that exporters write; empty: known by its operator only."""
        return ()

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether ``y`` are this activation's values at ``x``, `NEAR` and `FAR`, up to a positive factor.

        A factor is allowed because the function stays in the graph in front of a neuron that tracks it.
        """
        finite = np.isfinite(y)
        x, y = x[finite], y[finite]
        for form in self.forms(x):
            near = np.abs(x) <= NEAR[-1]
            power = float((form[near] ** 2).sum())
            factor = float((form[near] * y[near]).sum()) / power if power else 0.0
            if factor > 0 and np.all(np.abs(y - factor * form) <= TOLERANCE * factor * np.maximum(1, np.abs(form))):
                return True
        return False


class ReluRule(Rule):
    """``Relu``."""

    activation = "Relu"
    op_types = ("Relu",)
    neurons = ("if-burst", "if", "if-signed", "sigma-delta", "few-spike", *FITTED)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Exactly max(x, 0): IF neurons do not keep the function in the graph, so a factor is not allowed."""
        return bool(np.allclose(y, np.maximum(x, 0), rtol=1e-6, atol=1e-6))


class ClipRule(Rule):
    """``Clip``."""

    activation = "Clip"
    neurons = ("sigma-delta", "if", "if-signed", "few-spike", *FITTED)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Exactly max(x, 0) up to the largest value, which is then kept."""
        most = float(np.max(y, initial=0))
        return 0 < most < x.max() and bool(np.allclose(y, np.clip(x, 0, most), rtol=1e-6, atol=1e-6))


class HardTanhRule(Rule):
    """``HardTanh``."""

    activation = "HardTanh"
    saturates_at = 1.0
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """clip(x, low, high) with low < 0 < high."""
        low, high = float(y.min()), float(y.max())
        return x.min() < low < 0 < high < x.max() and bool(np.allclose(y, np.clip(x, low, high), rtol=1e-6, atol=1e-6))


class LeakyReluRule(Rule):
    """``LeakyRelu``."""

    activation = "LeakyRelu"
    op_types = ("LeakyRelu",)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Two straight lines that meet in 0, the left one less steep."""
        right, left = (float(y[np.argmin(np.abs(x - at))]) for at in (1.0, -1.0))
        slope = -left / right if right > 0 else 0.0
        return 0 < slope < 1 and bool(np.allclose(y, right * np.maximum(x, slope * x), rtol=1e-5, atol=1e-5))


class PReluRule(Rule):
    """``PRelu``."""

    activation = "PRelu"
    op_types = ("PRelu",)


class ThresholdedReluRule(Rule):
    """``ThresholdedRelu``."""

    activation = "ThresholdedRelu"
    op_types = ("ThresholdedRelu",)
    never_decreasing = True

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """x from some alpha > 0 on, 0 below."""
        passing = y > 0
        alpha = float(x[passing].min(initial=np.inf))
        return 0.1 < alpha < x.max() and bool(np.allclose(y, np.where(x >= alpha, x, 0), rtol=1e-6, atol=1e-6))


class TanhRule(Rule):
    """``Tanh``."""

    activation = "Tanh"
    op_types = ("Tanh",)
    neurons = ("sigma-delta", *FITTED)
    saturates_at = 3.0
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.tanh(x),)


class SigmoidRule(Rule):
    """``Sigmoid``."""

    activation = "Sigmoid"
    op_types = ("Sigmoid",)
    neurons = ("sigma-delta", "few-spike", *FITTED)
    saturates_at = 6.0
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (0.5 * (1 + np.tanh(x / 2)),)


class HardSigmoidRule(Rule):
    """``HardSigmoid``."""

    activation = "HardSigmoid"
    op_types = ("HardSigmoid",)
    neurons = ("sigma-delta", "few-spike")
    saturates_at = 3.0
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.clip(x / 6 + 0.5, 0, 1), np.clip(0.2 * x + 0.5, 0, 1))


class HardSwishRule(Rule):
    """``HardSwish``."""

    activation = "HardSwish"
    op_types = ("HardSwish",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x * np.clip(x / 6 + 0.5, 0, 1),)


class SiLURule(Rule):
    """``SiLU``."""

    activation = "SiLU"
    op_types = ("Swish",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x * 0.5 * (1 + np.tanh(x / 2)),)


class GeluRule(Rule):
    """``Gelu``."""

    activation = "Gelu"
    op_types = ("Gelu",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (
            np.asarray([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x]),
            0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
            x * 0.5 * (1 + np.tanh(0.851 * x)),
        )


class EluRule(Rule):
    """``Elu``."""

    activation = "Elu"
    op_types = ("Elu",)
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.where(x > 0, x, np.expm1(np.minimum(x, 0))),)


class SeluRule(Rule):
    """``Selu``."""

    activation = "Selu"
    op_types = ("Selu",)
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),)


class CeluRule(Rule):
    """``Celu``."""

    activation = "Celu"
    op_types = ("Celu",)
    never_decreasing = True


class SoftplusRule(Rule):
    """``Softplus``."""

    activation = "Softplus"
    op_types = ("Softplus",)
    neurons = ("sigma-delta", "few-spike")
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.logaddexp(0, x),)


class SoftsignRule(Rule):
    """``Softsign``."""

    activation = "Softsign"
    op_types = ("Softsign",)
    never_decreasing = True

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x / (1 + np.abs(x)),)


class MishRule(Rule):
    """``Mish``."""

    activation = "Mish"
    op_types = ("Mish",)

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x * np.tanh(np.logaddexp(0, x)),)


class SignRule(Rule):
    """``Sign``."""

    activation = "Sign"
    op_types = ("Sign",)
    saturates_at = 1.0
    never_decreasing = True


class ElementwiseRule(Rule):
    """``Function``."""

    activation = "Function"

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Any values: this rule comes last."""
        return True


RULES: tuple[Rule, ...] = (
    ReluRule(),
    ClipRule(),
    HardTanhRule(),
    LeakyReluRule(),
    PReluRule(),
    ThresholdedReluRule(),
    TanhRule(),
    SigmoidRule(),
    HardSigmoidRule(),
    HardSwishRule(),
    SiLURule(),
    GeluRule(),
    EluRule(),
    SeluRule(),
    CeluRule(),
    SoftplusRule(),
    SoftsignRule(),
    MishRule(),
    SignRule(),
    ElementwiseRule(),
)
"""The first that recognises a function has it."""


def find_activations(model: ir.Model, axes: BatchAxes) -> list[tuple[ElementwiseFunction, Rule]]:
    """Every function of one signal in the main graph, in the order of the graph, with its rule."""
    return [(function, rule_of(function)) for function in find_functions(model, axes.changes)]


def rule_of(function: ElementwiseFunction) -> Rule:
    """Which activation a function is: told by the operator where that settles it, by the function's values elsewhere."""
    if len(function.nodes) == 1:
        for rule in RULES:
            if function.nodes[0].op_type in rule.op_types:
                return rule
    x = np.concatenate([NEAR, FAR])
    y = function.values(x)
    if y is None or not np.isfinite(y[: len(NEAR)]).all():
        return RULES[-1]
    return next(rule for rule in RULES if rule.has_values(x, y))
