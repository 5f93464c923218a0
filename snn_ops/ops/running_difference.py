"""RunningDifference: the inverse of RunningMean.

    y = (step + 1) * x - total,   total = (step + 1) * x,   step = step + 1

so that the mean of y_0 ... y_t is x_t: a function of a running mean becomes a current again. The values are graded, not
spikes.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, _time
from snn_ops.ops._operator import CONSTANT_CURRENT, N_STEPS, STEP, STEP_OUT, Operator, current, state


def reference(
    x: np.ndarray, n_steps: int, total: np.ndarray, step: int, *, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], total broadcastable to [B, ...] -> y [T*B, ...], total [B, ...], step."""
    values = _time.split(x, n_steps, constant_current)
    total = _time.initial(total, values)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        new_total = total.dtype.type(step + t + 1) * value.astype(total.dtype)
        y[t], total = new_total - total, new_total
    return _time.merge(y), total, np.asarray(step + len(values), np.int64)


OPERATOR = Operator(
    name="RunningDifference",
    summary="The inverse of RunningMean.",
    equation="y = (step + 1) x - total; total = (step + 1) x; step += 1",
    inputs=(
        current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
        N_STEPS,
        state("total", "step times the previous input, 0 at the start; broadcasts against [B, ...]"),
        STEP,
    ),
    outputs=(
        current("y", "[T*B, ...]"),
        state("total_out", "[B, ...], after the last step"),
        STEP_OUT,
    ),
    attributes=(CONSTANT_CURRENT,),
    reference=reference,
    body=_body.temporal(
        ["total"], "total_next = Mul(count, j)\n s = Sub(total_next, v_total)\n", x="x", y="y", counts_steps=True
    ),
)
