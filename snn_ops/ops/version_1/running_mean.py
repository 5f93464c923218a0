"""RunningMean of version 1: the sum is one number.

sum = sum + x,   y = sum / (step + 1),   step = step + 1
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import State, current


def reference(
    x: np.ndarray, n_steps: int, sum: np.ndarray, step: int, *, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], sum broadcastable to [B, ...] -> y [T*B, ...], sum [B, ...], step."""
    values = time_axis.split(x, n_steps, constant_current)
    sum = time_axis.initial(sum, values)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        sum = sum + value.astype(sum.dtype)
        y[t] = sum / sum.dtype.type(step + t + 1)
    return time_axis.merge(y), sum, np.asarray(step + len(values), np.int64)


OPERATOR = Operator(
    name="RunningMean",
    summary="The mean of everything up to now.",
    equation="sum += x; y = sum / (step + 1); step += 1",
    input=current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("y", "[T*B, ...]"),
    states=(State("sum", "sum of the earlier inputs, 0 at the start"),),
    reference=reference,
    body=_body.temporal(
        ["sum"], "sum_next = Add(v_sum, j)\n s = Div(sum_next, count)\n", x="x", y="y", counts_steps=True
    ),
    kernel=only("RunningMean1"),
    counts_steps=True,
    usual=(-1.0, 1.0),
)
