"""Alpha: a second-order synapse with the response (t / tau^2) exp(-t / tau), as nengo.Alpha.

    filtered = a * filtered + m * first + (1 - a - m) * x,   a = exp(-dt / tau),   m = dt / tau * a
    first = a * first + (1 - a) * x
    y = filtered                                              (tau 0: y = x)

Two lowpass filters in a row, 1 / (tau s + 1)^2, solved together for an input held over each step.

Source: nengo/synapses.py, class Alpha (Nengo 4.1); Z. Mainen and T. Sejnowski, Science 268 (1995).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, _time, lowpass
from snn_ops.ops._operator import N_STEPS, Operator, current, state


def reference(
    x: np.ndarray,
    n_steps: int,
    first: np.ndarray,
    filtered: np.ndarray,
    *,
    tau: float,
    dt: float,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], states broadcastable to [B, ...] -> y [T*B, ...], states [B, ...]."""
    values = _time.split(x, n_steps, constant_current)
    first, filtered = _time.initial(first, values), _time.initial(filtered, values)
    number = filtered.dtype.type
    exact = lowpass.decay(tau, dt)
    a, m = number(exact), number(dt / tau * exact if tau > 0 else 0)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values.astype(filtered.dtype, copy=False)):
        filtered = a * filtered + m * first + ((1 - a) - m) * value
        first = a * first + (1 - a) * value
        y[t] = filtered
    return _time.merge(y), first, filtered


OPERATOR = Operator(
    name="Alpha",
    summary="A second-order synapse, as nengo.Alpha.",
    equation="y = a y + m first + (1 - a - m) x; first = a first + (1 - a) x; a = exp(-dt / tau), m = dt / tau a",
    inputs=(
        current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
        N_STEPS,
        state("first", "the first filter, 0 at rest; broadcasts against [B, ...]"),
        state("filtered", "the last output, 0 at rest; broadcasts against [B, ...]"),
    ),
    outputs=(
        current("y", "[T*B, ...]"),
        state("first_out", "[B, ...], after the last step"),
        state("filtered_out", "[B, ...], after the last step"),
    ),
    attributes=lowpass.ATTRIBUTES,
    reference=reference,
    body=lowpass.constants_body("filtered")
    + """
    mixed_all = Mul(ratio, decay_exact)
    has_no_tau = Equal(tau_exact, tau_nothing)
    mixed_exact = Where(has_no_tau, tau_nothing, mixed_all)
    mixed = CastLike(mixed_exact, filtered)
    new_share = Sub(rest_of_decay, mixed)
    """
    + _body.temporal(
        ["first", "filtered"],
        """
        kept = Mul(decay, v_filtered)
        through = Mul(mixed, v_first)
        direct = Mul(new_share, j)
        kept_through = Add(kept, through)
        filtered_next = Add(kept_through, direct)
        first_kept = Mul(decay, v_first)
        first_new = Mul(rest_of_decay, j)
        first_next = Add(first_kept, first_new)
        s = Identity(filtered_next)
        """,
        x="x",
        y="y",
        like="filtered",
    ),
    twin="nengo.Alpha",
)
