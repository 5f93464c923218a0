"""RunningMean: the mean of everything up to now.

    added = x + sum_low
    total = sum + added,   sum_low = added - (total - sum),   sum = total
    y = sum / (step + 1),   step = step + 1

A sum in float32 would not change any more once an input is below its last digit, after 2^24 inputs of the same size. sum_low is
what the sum has lost by rounding, and is added with the next input; so the error of y does not grow with the number of steps.

Any function of y is then exact in the limit: RunningMean, the function, and SigmaDelta or RunningDifference make a layer that
computes what the ANN's layer computes on the mean of its inputs.

Source: W. Kahan, Further remarks on reducing truncation errors, Communications of the ACM 8(1), 1965 (the sum).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import State, current
from snn_ops.ops.version_1 import running_mean as version_1


def reference(
    x: np.ndarray, n_steps: int, sum: np.ndarray, step: int, sum_low: np.ndarray, *, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], sum and sum_low broadcastable to [B, ...] -> y [T*B, ...], sum [B, ...], step, sum_low [B, ...]."""
    values = time_axis.split(x, n_steps, constant_current)
    sum, low = time_axis.initial(sum, values), time_axis.initial(sum_low, values)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        sum, low = time_axis.add(sum, low, value.astype(sum.dtype))
        y[t] = sum / sum.dtype.type(step + t + 1)
    return time_axis.merge(y), sum, np.asarray(step + len(values), np.int64), low


OPERATOR = Operator(
    name="RunningMean",
    summary="The mean of everything up to now.",
    equation=(
        "added = x + sum_low; total = sum + added; sum_low = added - (total - sum); sum = total; "
        "y = sum / (step + 1); step += 1"
    ),
    input=current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("y", "[T*B, ...]"),
    states=(State("sum", "sum of the earlier inputs, 0 at the start", has_low_part=True),),
    reference=reference,
    body=_body.temporal(
        ["sum", "sum_low"],
        _body.add("sum", "j") + "s = Div(sum_next, count)\n",
        x="x",
        y="y",
        counts_steps=True,
    ),
    kernel=only("RunningMean"),
    counts_steps=True,
    usual=(-1.0, 1.0),
    since_version=2,
    earlier=version_1.OPERATOR,
)
