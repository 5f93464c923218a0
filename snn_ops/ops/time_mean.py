"""TimeMean: out of time. The mean over the steps; ``[T*B, ...] -> [B, ...]``.

    for each step:  sum = sum + x_t,   step = step + 1
        where step is a multiple of 64, sum moves into sum_base if it is finite; what sum_base loses by rounding stays behind.
        Of these two, what is not finite becomes 0 then
    y = (sum_base + sum) / step

It is RunningMean of which only the last step is kept: over several chunks of a run, the last one gives the mean of them all.
The sum is float32 for float16.

Source: D. Knuth, The art of computer programming 2, section 4.2.2, theorem B (what a sum loses by rounding).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, running_mean, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Time, current
from snn_ops.ops.version_1 import time_mean as version_1


def reference(
    x: np.ndarray, n_steps: int, sum: np.ndarray, step: int, sum_base: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x [T*B, ...], sum and sum_base broadcastable to [B, ...] -> y [B, ...], sum [B, ...], step, sum_base [B, ...]."""
    values = time_axis.split(x, n_steps)
    sum, base = time_axis.initial(sum, values), time_axis.initial(sum_base, values)
    for t, value in enumerate(values):
        sum, base = time_axis.rebased(sum + value.astype(sum.dtype), base, step + t + 1)
    y = ((base + sum) / sum.dtype.type(step + len(values))).astype(x.dtype)
    return y, sum, np.asarray(step + len(values), np.int64), base


OPERATOR = Operator(
    name="TimeMean",
    summary="Out of time: the mean over the steps.",
    equation=(
        "for t = 0 ... T-1: sum += x_t, step += 1, where step is a multiple of 64: sum moves into sum_base if it is finite, "
        "what that loses by rounding stays behind, and what is not finite becomes 0; y = (sum_base + sum) / step"
    ),
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
    sum_base_0 = Expand(sum_base, neurons)
    step_0 = Reshape(step, no_axes)
    one_step = Constant<value_int = 1>()
    {_body.number("zero", 0, "sum")}
    sum_out, sum_base_out, step_out = Scan<
      num_scan_inputs = 1,
      body = step (v_sum, v_sum_base, step_before, j) => (sum_next, sum_base_next, step_next) {{
        step_next = Add(step_before, one_step)
        sum_sum = Add(v_sum, j)
        {_body.IS_DUE}
        {_body.rebase("sum", "zero")}
      }}
    >(sum_0, sum_base_0, step_0, through_time)
    count = CastLike(step_out, sum)
    whole_sum = Add(sum_base_out, sum_out)
    mean = Div(whole_sum, count)
    y = CastLike(mean, x)
    """,
    kernel=only("TimeMean"),
    time=Time.LAST,
    counts_steps=True,
    usual=(-1.0, 1.0),
    since_version=2,
    earlier=version_1.OPERATOR,
)
