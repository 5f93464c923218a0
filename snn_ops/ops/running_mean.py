"""RunningMean: the mean of everything up to now.

    sum = sum + x,   y = sum / (step + 1),   step = step + 1

Any function of y is then exact in the limit: RunningMean, the function, and SigmaDelta or RunningDifference make a layer that
computes what the ANN's layer computes on the mean of its inputs.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, _time
from snn_ops.ops._operator import CONSTANT_CURRENT, N_STEPS, STEP, STEP_OUT, Operator, current, state


def reference(
    x: np.ndarray, n_steps: int, sum: np.ndarray, step: int, *, constant_current: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], sum broadcastable to [B, ...] -> y [T*B, ...], sum [B, ...], step."""
    values = _time.split(x, n_steps, constant_current)
    sum = _time.initial(sum, values)
    y = np.empty(values.shape, x.dtype)
    for t, value in enumerate(values):
        sum = sum + value.astype(sum.dtype)
        y[t] = sum / sum.dtype.type(step + t + 1)
    return _time.merge(y), sum, np.asarray(step + len(values), np.int64)


OPERATOR = Operator(
    name="RunningMean",
    summary="The mean of everything up to now.",
    equation="sum += x; y = sum / (step + 1); step += 1",
    inputs=(
        current("x", "[T*B, ...] or, with constant_current, [B, ...]"),
        N_STEPS,
        state("sum", "sum of the earlier inputs, 0 at the start; broadcasts against [B, ...]"),
        STEP,
    ),
    outputs=(
        current("y", "[T*B, ...]"),
        state("sum_out", "[B, ...], after the last step"),
        STEP_OUT,
    ),
    attributes=(CONSTANT_CURRENT,),
    reference=reference,
    body=_body.temporal(
        ["sum"], "sum_next = Add(v_sum, j)\n s = Div(sum_next, count)\n", x="x", y="y", counts_steps=True
    ),
)
