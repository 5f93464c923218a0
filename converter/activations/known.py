"""The activations that are recognised, by operator or by their values, and the neurons that can take their place: one table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

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

Values = Callable[[np.ndarray, np.ndarray], bool]
"""(x, y): whether y are an activation's values at x."""


@dataclass(frozen=True)
class Activation:
    """A function of one signal, and which neurons can stand for it.

    Attributes:
        name: as reports call it.
        op_types: the ONNX operators that are this activation, whatever their attributes.
        has_values: whether ``y`` are its values at ``x``, `NEAR` and `FAR`; None: known by its operator only.
        neurons: the neurons that can take its place, by name; the first is the default.
        saturates_at: the |x| from which it hardly changes; None if it goes on.
        never_decreasing: x <= x' means f(x) <= f(x'), with the usual attributes; `never_decreases` looks at those that it has.
        below_0: it takes negative values, where no firing rate can follow.
    """

    name: str
    op_types: tuple[str, ...] = ()
    has_values: Values | None = None
    neurons: tuple[str, ...] = ("sigma-delta",)
    saturates_at: float | None = None
    never_decreasing: bool = False
    below_0: bool = True

    @property
    def is_relu(self) -> bool:
        """Whether an integrate-and-fire neuron is this function by itself."""
        return "if-burst" in self.neurons


def _forms(*forms: Callable[[np.ndarray], np.ndarray]) -> Values:
    """The values of one of the forms that exporters write, up to a positive factor.

    A factor is allowed because the function stays in the graph before a neuron that tracks it.
    """

    def has_values(x: np.ndarray, y: np.ndarray) -> bool:
        finite = np.isfinite(y)
        x, y = x[finite], y[finite]
        near = np.abs(x) <= NEAR[-1]
        for form in (f(x) for f in forms):
            power = float((form[near] ** 2).sum())
            factor = float((form[near] * y[near]).sum()) / power if power else 0.0
            if factor > 0 and np.all(np.abs(y - factor * form) <= TOLERANCE * factor * np.maximum(1, np.abs(form))):
                return True
        return False

    return has_values


def _is_relu(x: np.ndarray, y: np.ndarray) -> bool:
    """Exactly max(x, 0): IF neurons do not keep the function in the graph, so a factor is not allowed."""
    return bool(np.allclose(y, np.maximum(x, 0), rtol=1e-6, atol=1e-6))


def _is_clip(x: np.ndarray, y: np.ndarray) -> bool:
    """Exactly max(x, 0) up to the largest value, which is then kept."""
    most = float(np.max(y, initial=0))
    return 0 < most < x.max() and bool(np.allclose(y, np.clip(x, 0, most), rtol=1e-6, atol=1e-6))


def _is_hard_tanh(x: np.ndarray, y: np.ndarray) -> bool:
    """clip(x, low, high) with low < 0 < high."""
    low, high = float(y.min()), float(y.max())
    return x.min() < low < 0 < high < x.max() and bool(np.allclose(y, np.clip(x, low, high), rtol=1e-6, atol=1e-6))


def _is_leaky_relu(x: np.ndarray, y: np.ndarray) -> bool:
    """Two straight lines that meet in 0, the left one less steep."""
    right, left = (float(y[np.argmin(np.abs(x - at))]) for at in (1.0, -1.0))
    slope = -left / right if right > 0 else 0.0
    return 0 < slope < 1 and bool(np.allclose(y, right * np.maximum(x, slope * x), rtol=1e-5, atol=1e-5))


def _is_thresholded_relu(x: np.ndarray, y: np.ndarray) -> bool:
    """x from some alpha > 0 on, 0 below."""
    passing = y > 0
    alpha = float(x[passing].min(initial=np.inf))
    return 0.1 < alpha < x.max() and bool(np.allclose(y, np.where(x >= alpha, x, 0), rtol=1e-6, atol=1e-6))


def _elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: np.ndarray) -> np.ndarray:
    return np.asarray([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])


def _gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return result


IDENTITY = Activation("Identity", neurons=())
"""No activation: what the delta code's neurons stand behind, since their target is computed as it stands."""

ACTIVATIONS: tuple[Activation, ...] = (
    # y = max(x, 0). The mean of an IF neuron's spikes is exactly that, in steps of threshold / T.
    # Also as Max(x, 0), Clip(x, 0, none) and the like.
    Activation(
        "Relu",
        ("Relu",),
        _is_relu,
        neurons=("if-burst", "if", "if-signed", "sigma-delta", "few-spike", *FITTED),
        never_decreasing=True,
        below_0=False,
    ),
    # y = min(max(x, 0), m), e.g. Relu6. Spikes track it; an IF neuron of one spike a step clips by itself.
    # Also as Min(Relu(x), m).
    Activation(
        "Clip",
        (),
        _is_clip,
        neurons=("sigma-delta", "if", "if-signed", "few-spike", *FITTED),
        never_decreasing=True,
        below_0=False,
    ),
    # y = clip(x, -m, m). Written as Clip(x, -1, 1), Max(Min(x, 1), -1) and the like.
    Activation("HardTanh", (), _is_hard_tanh, saturates_at=1.0, never_decreasing=True),
    # y = max(x, a x), 0 < a < 1. Also as Max(x, a x), Relu(x) - a Relu(-x) with one slope, and Where(x > 0, x, a x).
    Activation("LeakyRelu", ("LeakyRelu",), _is_leaky_relu, never_decreasing=True),
    # y = x for x > 0, else a x with a trained slope a per channel
    Activation("PRelu", ("PRelu",)),
    # y = x for x > alpha, else 0
    Activation("ThresholdedRelu", ("ThresholdedRelu",), _is_thresholded_relu, never_decreasing=True, below_0=False),
    # y = tanh(x), in [-1, 1]. A LIF neuron fits tanh(x) + 1 with its rate.
    Activation(
        "Tanh",
        ("Tanh",),
        _forms(np.tanh),
        neurons=("sigma-delta", *FITTED),
        saturates_at=3.0,
        never_decreasing=True,
    ),
    # y = 1 / (1 + exp(-x)), in [0, 1]. A LIF neuron fits it with its rate.
    Activation(
        "Sigmoid",
        ("Sigmoid",),
        _forms(lambda x: 0.5 * (1 + np.tanh(x / 2))),
        neurons=("sigma-delta", "few-spike", *FITTED),
        saturates_at=6.0,
        never_decreasing=True,
        below_0=False,
    ),
    # y = max(0, min(1, alpha x + beta)). Also as Clip(x + 3, 0, 6) / 6.
    Activation(
        "HardSigmoid",
        ("HardSigmoid",),
        _forms(lambda x: np.clip(x / 6 + 0.5, 0, 1), lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        neurons=("sigma-delta", "few-spike"),
        saturates_at=3.0,
        never_decreasing=True,
        below_0=False,
    ),
    # y = x clip(x / 6 + 1/2, 0, 1). Also as x HardSigmoid(x) and x Clip(x + 3, 0, 6) / 6.
    Activation("HardSwish", ("HardSwish",), _forms(lambda x: x * np.clip(x / 6 + 0.5, 0, 1))),
    # y = x / (1 + exp(-x)). ONNX has it as Mul(x, Sigmoid(x)), from opset 24 as Swish.
    Activation("SiLU", ("Swish",), _forms(lambda x: x * 0.5 * (1 + np.tanh(x / 2)))),
    # y = x (1 + erf(x / sqrt(2))) / 2. Also in pieces, with Erf, with Tanh (its approximation), and as x Sigmoid(1.702 x).
    Activation("Gelu", ("Gelu",), _forms(_gelu, _gelu_by_tanh, lambda x: x * 0.5 * (1 + np.tanh(0.851 * x)))),
    # y = x for x > 0, else alpha (exp(x) - 1)
    Activation("Elu", ("Elu",), _forms(_elu), never_decreasing=True),
    # y = gamma x for x > 0, else gamma alpha (exp(x) - 1), with the two numbers of self-normalising networks
    Activation("Selu", ("Selu",), _forms(lambda x: _elu(x, 1.6732632423543772)), never_decreasing=True),
    # y = max(0, x) + min(0, alpha (exp(x / alpha) - 1))
    Activation("Celu", ("Celu",), never_decreasing=True),
    # y = log(1 + exp(x)). Also in pieces.
    Activation(
        "Softplus",
        ("Softplus",),
        _forms(lambda x: np.logaddexp(0, x)),
        neurons=("sigma-delta", "few-spike"),
        never_decreasing=True,
        below_0=False,
    ),
    # y = x / (1 + |x|). Also in pieces.
    Activation("Softsign", ("Softsign",), _forms(lambda x: x / (1 + np.abs(x))), never_decreasing=True),
    # y = x tanh(log(1 + exp(x))). Also in pieces.
    Activation("Mish", ("Mish",), _forms(lambda x: x * np.tanh(np.logaddexp(0, x)))),
    # y = -1, 0, 1, as in binarised networks; where x stays close to 0 the spikes go back and forth
    Activation("Sign", ("Sign",), saturates_at=1.0, never_decreasing=True),
)
"""The first that recognises a function has it."""
ANY_FUNCTION = Activation("Function")
"""Every other function of one signal, element by element: sin(x), x^2, exp(x). Spikes track it."""


def find_activations(model: ir.Model, axes: BatchAxes) -> list[tuple[ElementwiseFunction, Activation]]:
    """Every function of one signal in the main graph, in the order of the graph, and which activation it is."""
    return [(function, recognise(function)) for function in find_functions(model, axes.changes)]


def never_decreases(function: ElementwiseFunction) -> bool:
    """Whether the function's values grow with x, or stay: an attribute of the other sign turns many around."""
    x = np.sort(np.concatenate([NEAR, FAR]))
    y = function.values(x)
    if y is None:
        return False
    y = y[~np.isnan(y)]  # far from 0, an exporter's form may be 0 / 0
    finite = np.clip(y, -np.finfo(np.float32).max, np.finfo(np.float32).max)
    return bool(np.all(np.diff(finite) >= -1e-6 * np.maximum(1, np.abs(finite[1:]))))


def recognise(function: ElementwiseFunction) -> Activation:
    """Which activation a function is: told by the operator where that settles it, by the function's values elsewhere."""
    if len(function.nodes) == 1:
        for activation in ACTIVATIONS:
            if function.nodes[0].op_type in activation.op_types:
                return activation
    x = np.concatenate([NEAR, FAR])
    y = function.values(x)
    if y is None or not np.isfinite(y[: len(NEAR)]).all():
        return ANY_FUNCTION
    recognised = (a for a in ACTIVATIONS if a.has_values is not None and a.has_values(x, y))
    return next(recognised, ANY_FUNCTION)
