"""Alpha: a second-order synapse with the response (t / tau^2) exp(-t / tau), as nengo.Alpha.

    filtered = a * filtered + m * first + (1 - a - m) * x,   a = exp(-dt / tau),   m = dt / tau * a
    first = a * first + (1 - a) * x
    where |filtered| < smallest, filtered = 0; the same for first
    y = filtered                                              (tau 0: y = x)

Two lowpass filters in a row, 1 / (tau s + 1)^2, solved together for an input held over each step.

Source: nengo/synapses.py, class Alpha (Nengo 4.1); Z. Mainen and T. Sejnowski, Science 268 (1995).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, lowpass, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import State


def reference(
    x: np.ndarray,
    n_steps: int,
    first: np.ndarray,
    filtered: np.ndarray,
    *,
    tau: float,
    dt: float,
    smallest: float,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], states broadcastable to [B, ...] -> y [T*B, ...], states [B, ...]."""
    values = time_axis.split(x, n_steps, constant_current)
    first, filtered = time_axis.initial(first, values), time_axis.initial(filtered, values)
    number = filtered.dtype.type
    exact = lowpass.decay(tau, dt)
    a, m = number(exact), number(dt / tau * exact if tau > 0 else 0)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values.astype(filtered.dtype, copy=False)):
        filtered = time_axis.without_smallest(a * filtered + m * first + ((1 - a) - m) * value, smallest)
        first = time_axis.without_smallest(a * first + (1 - a) * value, smallest)
        y[t] = filtered
    return time_axis.merge(y), first, filtered


OPERATOR = Operator(
    name="Alpha",
    summary="A second-order synapse, as nengo.Alpha.",
    equation=(
        "y = a y + m first + (1 - a - m) x; first = a first + (1 - a) x; a = exp(-dt / tau), m = dt / tau a; "
        "where |y| < smallest: y = 0, and the same for first"
    ),
    input=lowpass.OPERATOR.input,
    output=lowpass.OPERATOR.output,
    states=(State("first", "the first filter, 0 at rest"), *lowpass.OPERATOR.states),
    attributes=lowpass.OPERATOR.attributes,
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
        f"""
        kept = Mul(decay, v_filtered)
        through = Mul(mixed, v_first)
        direct = Mul(new_share, j)
        kept_through = Add(kept, through)
        filtered_new = Add(kept_through, direct)
        {_body.without_smallest("filtered_new", "filtered_next")}
        first_kept = Mul(decay, v_first)
        first_new = Mul(rest_of_decay, j)
        first_all = Add(first_kept, first_new)
        {_body.without_smallest("first_all", "first_next")}
        s = Identity(filtered_next)
        """,
        x="x",
        y="y",
        like="filtered",
    ),
    kernel=only("Alpha", lowpass.kernel_constants),
    usual=(-1.0, 1.0),
    twin="nengo.Alpha",
)
