"""Lowpass: a first-order synapse, as nengo.Lowpass.

    filtered = a * filtered + (1 - a) * x,   a = exp(-dt / tau)      (tau 0: a = 0, y = x)
    y = filtered; then filtered = 0 where |filtered| < smallest

the transfer function 1 / (tau s + 1) for an input held over each step.

Source: nengo/synapses.py, class Lowpass (Nengo 4.1).
"""

from __future__ import annotations

import math

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import DT, NOT_NEGATIVE, SMALLEST, Attribute, Attributes, State, current


def decay(tau: float, dt: float) -> float:
    """exp(-dt / tau), 0 for tau = 0."""
    return math.exp(-dt / tau) if tau > 0 else 0.0


def reference(
    x: np.ndarray, n_steps: int, filtered: np.ndarray, *, tau: float, dt: float, smallest: float, constant_current: int
) -> tuple[np.ndarray, np.ndarray]:
    """x [T*B, ...], filtered broadcastable to [B, ...] -> y [T*B, ...], filtered [B, ...]."""
    values = time_axis.split(x, n_steps, constant_current)
    filtered = time_axis.initial(filtered, values)
    a = filtered.dtype.type(decay(tau, dt))
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        filtered = time_axis.without_smallest(a * filtered + (1 - a) * value.astype(filtered.dtype), smallest)
        y[t] = filtered
    return time_axis.merge(y), filtered


def constants_body(like: str) -> str:
    """``decay``, ``rest`` = 1 - decay and ``decay_exact``, ``ratio`` = dt / tau in float64."""
    return f"""
    {_body.attribute("tau", like)}
    {_body.attribute("dt", like)}
    {_body.attribute("smallest", like)}
    ratio = Div(dt_exact, tau_exact)
    minus_ratio = Neg(ratio)
    decay_exact = Exp(minus_ratio)
    decay = CastLike(decay_exact, {like})
    {_body.number("whole", 1, like)}
    rest_of_decay = Sub(whole, decay)
    """


def kernel_constants(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """FilterConstants of kernels/neurons.h."""
    tau, dt = attributes["tau"], attributes["dt"]
    mixed = dt / tau * decay(tau, dt) if tau > 0 else 0.0
    return [("S", decay(tau, dt)), ("S", mixed), ("S", attributes["smallest"])]


OPERATOR = Operator(
    name="Lowpass",
    summary="A first-order synapse, as nengo.Lowpass.",
    equation="y = a y + (1 - a) x, a = exp(-dt / tau); where |y| < smallest: y = 0",
    input=current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("y", "[T*B, ...]"),
    states=(State("filtered", "the last output, 0 at rest"),),
    attributes=(Attribute("tau", 0.005, "time constant in seconds", NOT_NEGATIVE), DT, SMALLEST),
    reference=reference,
    body=constants_body("filtered")
    + _body.temporal(
        ["filtered"],
        f"""
        kept = Mul(decay, v_filtered)
        new = Mul(rest_of_decay, j)
        filtered_new = Add(kept, new)
        {_body.without_smallest("filtered_new", "filtered_next")}
        s = Identity(filtered_next)
        """,
        x="x",
        y="y",
    ),
    kernel=only("Lowpass", kernel_constants),
    usual=(-1.0, 1.0),
    twin="nengo.Lowpass",
)
