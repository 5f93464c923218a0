"""RunningMean: the mean of everything up to now.

    sum = sum + x,   y = (sum_base + sum) / (step + 1),   step = step + 1
    where step is a multiple of 64, sum moves into sum_base if it is finite; what sum_base loses by rounding stays behind.
    Of these two, what is not finite becomes 0 then

One sum in float32 would not change any more once an input is below its last digit, after 2^24 inputs of the same size. Here sum
is that of 64 inputs at most, so the error of y does not grow with the number of steps. For the first 64 steps this is
RunningMean of version 1 to the last bit.

Any function of y is then exact in the limit: RunningMean, the function, and SigmaDelta or RunningDifference make a layer that
computes what the ANN's layer computes on the mean of its inputs.

Source: D. Knuth, The art of computer programming 2, section 4.2.2, theorem B (what a sum loses by rounding).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import State, current
from snn_ops.ops.version_1 import running_mean as version_1


def reference(
    x: np.ndarray, n_steps: int, sum: np.ndarray, step: int, sum_base: np.ndarray, *, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], sum and sum_base broadcastable to [B, ...] -> y [T*B, ...], sum [B, ...], step, sum_base [B, ...]."""
    values = time_axis.split(x, n_steps, constant_current)
    sum, base = time_axis.initial(sum, values), time_axis.initial(sum_base, values)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        sum = sum + value.astype(sum.dtype)
        y[t] = (base + sum) / sum.dtype.type(step + t + 1)
        sum, base = time_axis.rebased(sum, base, step + t + 1)
    return time_axis.merge(y), sum, np.asarray(step + len(values), np.int64), base


OPERATOR = Operator(
    name="RunningMean",
    summary="The mean of everything up to now.",
    equation=(
        "sum += x; y = (sum_base + sum) / (step + 1); step += 1; where step is a multiple of 64: sum moves into sum_base if it "
        "is finite, what that loses by rounding stays behind, and what is not finite becomes 0"
    ),
    input=current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("y", "[T*B, ...]"),
    states=(State("sum", "sum of the earlier inputs, 0 at the start", has_base=True),),
    reference=reference,
    body=_body.temporal(
        ["sum", "sum_base"],
        """
        sum_sum = Add(v_sum, j)
        value = Add(v_sum_base, sum_sum)
        s = Div(value, count)
        """
        + _body.IS_DUE
        + _body.rebase("sum", "zero"),
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
