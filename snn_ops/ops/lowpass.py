"""Lowpass: a first-order synapse, as nengo.Lowpass.

    filtered = a * filtered + (1 - a) * x,   a = exp(-dt / tau)      (tau 0: a = 0, y = x)
    y = filtered

the transfer function 1 / (tau s + 1) for an input held over each step.

Source: nengo/synapses.py, class Lowpass (Nengo 4.1).
"""

from __future__ import annotations

import math

import numpy as np

from snn_ops.ops import _body, _time
from snn_ops.ops._operator import CONSTANT_CURRENT, DT, N_STEPS, NOT_NEGATIVE, Attribute, Operator, current, state

ATTRIBUTES = (Attribute("tau", 0.005, "time constant in seconds", NOT_NEGATIVE), DT, CONSTANT_CURRENT)


def decay(tau: float, dt: float) -> float:
    """exp(-dt / tau), 0 for tau = 0."""
    return math.exp(-dt / tau) if tau > 0 else 0.0


def reference(
    x: np.ndarray, n_steps: int, filtered: np.ndarray, *, tau: float, dt: float, constant_current: int
) -> tuple[np.ndarray, np.ndarray]:
    """x [T*B, ...], filtered broadcastable to [B, ...] -> y [T*B, ...], filtered [B, ...]."""
    values = _time.split(x, n_steps, constant_current)
    filtered = _time.initial(filtered, values)
    a = filtered.dtype.type(decay(tau, dt))
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        filtered = a * filtered + (1 - a) * value.astype(filtered.dtype)
        y[t] = filtered
    return _time.merge(y), filtered


def constants_body(like: str) -> str:
    """``decay``, ``rest`` = 1 - decay and ``decay_exact``, ``ratio`` = dt / tau in float64."""
    return f"""
    {_body.attribute("tau", like)}
    {_body.attribute("dt", like)}
    ratio = Div(dt_exact, tau_exact)
    minus_ratio = Neg(ratio)
    decay_exact = Exp(minus_ratio)
    decay = CastLike(decay_exact, {like})
    {_body.number("whole", 1, like)}
    rest_of_decay = Sub(whole, decay)
    """


OPERATOR = Operator(
    name="Lowpass",
    summary="A first-order synapse, as nengo.Lowpass.",
    equation="y = a y + (1 - a) x, a = exp(-dt / tau)",
    inputs=(
        current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
        N_STEPS,
        state("filtered", "the last output, 0 at rest; broadcasts against [B, ...]"),
    ),
    outputs=(current("y", "[T*B, ...]"), state("filtered_out", "[B, ...], after the last step")),
    attributes=ATTRIBUTES,
    reference=reference,
    body=constants_body("filtered")
    + _body.temporal(
        ["filtered"],
        """
        kept = Mul(decay, v_filtered)
        new = Mul(rest_of_decay, j)
        filtered_next = Add(kept, new)
        s = Identity(filtered_next)
        """,
        x="x",
        y="y",
    ),
    twin="nengo.Lowpass",
)
