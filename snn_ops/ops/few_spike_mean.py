"""FewSpikeMean: a few-spike neuron that gives the mean of its spikes at once, for receivers that only add them up.

    r = z + scale * 2^-T / 2                     with z the mean of the current over the T steps
    mean = r - (r mod scale * 2^-T),  within [0, scale (1 - 2^-T)]

That is z rounded to T binary digits of scale. The digits are the spikes that `FewSpike` sends, each T times as high as a digit;
here they cost one pass whatever T is, and no value is kept for a step. ``FewSpike`` of this mean, held for T steps, gives the
spikes: half a digit lies between a mean and what would be rounded otherwise. The remainder is exact, and the difference is
rounded once. Where the last digit is below 2^-100, the mean is z itself.

Source: C. Stoeckl and W. Maass, Optimized spiking neurons can classify images with high accuracy through temporal coding with
two spikes, Nature Machine Intelligence 3 (2021), for ReLU.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Height, Parameter, Time, Unit, current

_SMALLEST_DIGIT = 2.0**-100


def reference(current: np.ndarray, n_steps: int, scale: np.ndarray) -> tuple[np.ndarray]:
    """current [B, ...], scale broadcastable to [B, ...] -> mean of the spikes [B, ...].

    Raises:
        ValueError: n_steps below 1, or a scalar current.
    """
    if n_steps < 1 or current.ndim == 0:
        raise ValueError("it needs n_steps >= 1 and a current with a first axis")
    dtype = time_axis.arithmetic(current)
    digit = scale * dtype.type(np.float32(0.5) ** np.float32(n_steps))
    last = np.where(digit > dtype.type(_SMALLEST_DIGIT), digit, dtype.type(0))
    remainder = np.clip(current.astype(dtype) + last * dtype.type(0.5), 0, scale)
    below = np.where(last > 0, np.fmod(remainder, last), dtype.type(0))
    return (np.minimum(remainder - below, scale - last).astype(current.dtype),)


OPERATOR = Operator(
    name="FewSpikeMean",
    summary="Few-spike code of which only the mean is wanted: T binary digits at once.",
    equation="r = clip(current + scale 2^-T / 2, 0, scale); mean = min(r - r mod scale 2^-T, scale (1 - 2^-T))",
    input=current("current", "[B, ...], the mean of the current over all steps"),
    output=current("spikes", "[B, ...], the mean of the spikes over all steps"),
    parameters=(Parameter("scale", "the largest value is scale (1 - 2^-T)", above_0=True),),
    reference=reference,
    body=f"""
    no_axes = Constant<value = int64[0] {{}}>()
    {_body.checked_steps()}
    {_body.number("zero", 0, "scale")}
    {_body.number("half", 0.5, "scale")}
    {_body.number("smallest", _SMALLEST_DIGIT, "scale")}
    steps_scalar = Reshape(steps, no_axes)
    count = CastLike(steps_scalar, scale)
    last_digit = Pow(half, count)
    digit = Mul(scale, last_digit)
    is_digit = Greater(digit, smallest)
    last = Where(is_digit, digit, zero)
    half_last = Mul(last, half)
    current_cast = CastLike(current, scale)
    to_nearest = Add(current_cast, half_last)
    is_low = Less(to_nearest, zero)
    at_least_0 = Where(is_low, zero, to_nearest)
    is_high = Greater(at_least_0, scale)
    r = Where(is_high, scale, at_least_0)
    rest = Mod<fmod = 1>(r, last)
    below = Where(is_digit, rest, zero)
    digits = Sub(r, below)
    top = Sub(scale, last)
    is_above = Greater(digits, top)
    mean = Where(is_above, top, digits)
    spikes = CastLike(mean, current)
    """,
    kernel=only("FewSpikeMean"),
    time=Time.AT_ONCE,
    height=Height("scale", Unit.BINARY),
    code="rate",
    train="FewSpike",
    usual=(-0.3, 1.3),
)
