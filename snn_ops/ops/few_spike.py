"""FewSpike: few-spike code, T binary digits with at most T spikes.

    r = z + scale * 2^-T / 2                     with z the mean of the current over the T steps
    for t = 0 ... T-1:   weight = scale * 2^-(t+1)
        fires where r >= weight:   spikes_t = T * weight,   r = r - weight

The mean of the spikes over the T steps is z rounded to T binary digits of scale, within [0, scale (1 - 2^-T)]. The neuron must
have received its whole input before it fires, as in the two-phase schedule.

Source: C. Stoeckl and W. Maass, Optimized spiking neurons can classify images with high accuracy through temporal coding with
two spikes, Nature Machine Intelligence 3 (2021), for ReLU.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Height, Parameter, Unit, current


def reference(current: np.ndarray, n_steps: int, scale: np.ndarray, *, constant_current: int) -> tuple[np.ndarray]:
    """current [T*B, ...], scale broadcastable to [B, ...] -> spikes [T*B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    dtype = time_axis.arithmetic(current)
    total = np.zeros(currents.shape[1:], dtype)
    for x in currents:
        total = total + x.astype(dtype)
    steps = dtype.type(len(currents))
    last = scale * dtype.type(np.float32(0.5) ** np.float32(len(currents)))
    remainder = total / steps + last * dtype.type(0.5)
    weight = np.asarray(scale * dtype.type(0.5), dtype)
    spikes = np.empty(currents.shape, current.dtype)
    for t in range(len(currents)):
        fires = remainder >= weight
        spikes[t] = np.where(fires, weight * steps, 0)
        remainder = np.where(fires, remainder - weight, remainder)
        weight = weight * dtype.type(0.5)
    return (time_axis.merge(spikes),)


OPERATOR = Operator(
    name="FewSpike",
    summary="Few-spike code: T binary digits of the mean current.",
    equation=(
        "r = mean(current) + scale 2^-T / 2; for t = 0 ... T-1: weight = scale 2^-(t+1); where r >= weight: "
        "spikes_t = T weight, r -= weight"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], 0 or T scale 2^-(t+1)"),
    parameters=(Parameter("scale", "the largest value is scale (1 - 2^-T)", above_0=True),),
    reference=reference,
    body=f"""
    {_body.split_time("current", "scale")}
    through_time = Expand(given_cast, time_shape)
    start = Expand(zero, neurons)
    total = {_body.sum_over_time("start", "through_time")}
    no_axis_steps = Reshape(n_steps, no_axes)
    count = CastLike(no_axis_steps, scale)
    mean = Div(total, count)
    {_body.number("half", 0.5, "scale")}
    last_digit = Pow(half, count)
    last = Mul(scale, last_digit)
    half_last = Mul(last, half)
    remainder_0 = Add(mean, half_last)
    weight_0 = Mul(scale, half)
    r, w, over_time = Scan<
      num_scan_inputs = 1,
      body = step (remainder, weight, j) => (remainder_next, weight_next, s) {{
        fires = GreaterOrEqual(remainder, weight)
        left = Sub(remainder, weight)
        remainder_next = Where(fires, left, remainder)
        weight_next = Mul(weight, half)
        height = Mul(weight, count)
        s = Where(fires, height, zero)
      }}
    >(remainder_0, weight_0, through_time)
    {_body.merge_time("current", "spikes")}
    """,
    kernel=only("FewSpike"),
    height=Height("scale", Unit.BINARY),
    code="rate",
    usual=(-0.3, 1.3),
)
