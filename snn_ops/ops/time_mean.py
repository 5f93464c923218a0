"""TimeMean: out of time. The mean over the steps; ``[T*B, ...] -> [B, ...]``.

    sum = sum + x_0 + ... + x_{T-1},   y = sum / (step + T),   step = step + T

It is RunningMean of which only the last step is kept: over several chunks of a run, the last one gives the mean of them all.
The sum is float32 for float16.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, running_mean, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Time, current


def reference(x: np.ndarray, n_steps: int, sum: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], sum broadcastable to [B, ...] -> y [B, ...], sum [B, ...], step."""
    values = time_axis.split(x, n_steps)
    sum = time_axis.initial(sum, values)
    for value in values:
        sum = sum + value.astype(sum.dtype)
    y = (sum / sum.dtype.type(step + len(values))).astype(x.dtype)
    return y, sum, np.asarray(step + len(values), np.int64)


OPERATOR = Operator(
    name="TimeMean",
    summary="Out of time: the mean over the steps.",
    equation="sum += x_0 + ... + x_{T-1}; y = sum / (step + T); step += T",
    input=current("x", "[T*B, ...]"),
    output=current("y", "[B, ...]"),
    states=running_mean.OPERATOR.states,
    reference=reference,
    body=f"""
    no_axes = Constant<value = int64[0] {{}}>()
    {_body.checked_steps()}
    first_axis = Shape<start = 0, end = 1>(x)
    rest = Shape<start = 1>(x)
    batch = Div(first_axis, steps)
    neurons = Concat<axis = 0>(batch, rest)
    time_shape = Concat<axis = 0>(steps, neurons)
    with_time = Reshape<allowzero = 1>(x, time_shape)
    through_time = CastLike(with_time, sum)
    sum_0 = Expand(sum, neurons)
    sum_out = {_body.sum_over_time("sum_0", "through_time")}
    steps_scalar = Reshape(n_steps, no_axes)
    step_scalar = Reshape(step, no_axes)
    step_out = Add(step_scalar, steps_scalar)
    count = CastLike(step_out, sum)
    mean = Div(sum_out, count)
    y = CastLike(mean, x)
    """,
    kernel=only("TimeMean"),
    time=Time.LAST,
    counts_steps=True,
    usual=(-1.0, 1.0),
)
