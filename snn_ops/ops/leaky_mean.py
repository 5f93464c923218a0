"""LeakyMean: a mean that forgets.

    count = min(step + 1, steps)
    mean = mean + (x - mean) / count,   y = mean,   step = step + 1;   then mean = 0 where |mean| < smallest

For the first `steps` steps it is the mean of everything up to now, as RunningMean, so that a run that has just begun is not
drawn towards 0. After that an input's share falls to 1 - 1 / steps of itself in every step: a first-order lowpass, whose shares
add up to 1. `steps` is a time constant in steps.

Source: averages with shares 1 / t at the start: H. Robbins and S. Monro, A stochastic approximation method, The Annals of
Mathematical Statistics 22 (1951).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import as_they_stand, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import AT_LEAST_1, SMALLEST, Attribute, State, current


def reference(
    x: np.ndarray, n_steps: int, mean: np.ndarray, step: int, *, steps: int, smallest: float, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], mean broadcastable to [B, ...] -> y [T*B, ...], mean [B, ...], step."""
    values = time_axis.split(x, n_steps, constant_current)
    mean = time_axis.initial(mean, values)
    dtype = mean.dtype
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        count = min(dtype.type(step + t + 1), dtype.type(steps))
        mean = time_axis.without_smallest(mean + (value.astype(dtype) - mean) / count, smallest)
        y[t] = mean
    return time_axis.merge(y), mean, np.asarray(step + len(values), np.int64)


OPERATOR = Operator(
    name="LeakyMean",
    summary="A mean that forgets.",
    equation="mean += (x - mean) / min(step + 1, steps); step += 1; where |mean| < smallest: mean = 0; y = mean",
    input=current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("y", "[T*B, ...]"),
    states=(State("mean", "the last output, 0 at the start"),),
    attributes=(Attribute("steps", 8, "time constant in steps; 1: no memory", AT_LEAST_1), SMALLEST),
    reference=reference,
    body="""
    constant_int = Constant<value_int: int = @steps>()
    constant = CastLike(constant_int, mean)
    """
    + _body.attribute("smallest", "mean")
    + _body.temporal(
        ["mean"],
        f"""
        begins = Less(count, constant)
        divisor = Where(begins, count, constant)
        difference = Sub(j, v_mean)
        share = Div(difference, divisor)
        mean_new = Add(v_mean, share)
        {_body.without_smallest("mean_new", "mean_next")}
        s = Identity(mean_next)
        """,
        x="x",
        y="y",
        counts_steps=True,
    ),
    kernel=only("LeakyMean", as_they_stand("steps", "smallest")),
    counts_steps=True,
    usual=(-1.0, 1.0),
)
