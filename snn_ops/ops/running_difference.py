"""RunningDifference: the inverse of RunningMean.

    y = (step + 1) * x - total,   total = (step + 1) * x,   step = step + 1

so that the mean of y_0 ... y_t is x_t: a function of a running mean becomes a current again. The values are graded, not
spikes.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import State, current


def reference(
    x: np.ndarray, n_steps: int, total: np.ndarray, step: int, *, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], total broadcastable to [B, ...] -> y [T*B, ...], total [B, ...], step."""
    values = time_axis.split(x, n_steps, constant_current)
    total = time_axis.initial(total, values)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        new_total = total.dtype.type(step + t + 1) * value.astype(total.dtype)
        y[t], total = new_total - total, new_total
    return time_axis.merge(y), total, np.asarray(step + len(values), np.int64)


OPERATOR = Operator(
    name="RunningDifference",
    summary="The inverse of RunningMean.",
    equation="y = (step + 1) x - total; total = (step + 1) x; step += 1",
    input=current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("y", "[T*B, ...]"),
    states=(State("total", "step times the previous input, 0 at the start"),),
    reference=reference,
    body=_body.temporal(
        ["total"], "total_next = Mul(count, j)\n s = Sub(total_next, v_total)\n", x="x", y="y", counts_steps=True
    ),
    kernel=only("RunningDifference"),
    counts_steps=True,
    usual=(-1.0, 1.0),
)
