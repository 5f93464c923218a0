"""MultiThresholdSum: the neuron of the delta code in the two-phase schedule, from its target to all that it sends.

    missing = (target - resting_value) / threshold,   sent = 0
    for each of n_steps slots:
        j = the smallest whole number >= 0 with |missing| >= 3/4 2^-j
        where j <= finest_exponent:  sent = sent + sign(missing) 2^-j,   missing = missing - sign(missing) 2^-j
    total = resting_value + threshold * sent

The layer has received all its input before it sends, and the next layer begins when it has sent, so that one value stands for
all of its spikes: no time axis, one pass of the trained network. `MultiThreshold` at a constant target with n_steps steps, or
with max_spikes = n_steps in one step, sends the same spikes. A target that is not finite makes the output NaN.

Source: as `MultiThreshold`.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Height, Time, Unit, current
from snn_ops.ops.multi_threshold import BODY_CONSTANTS, PARAMETERS, body_spikes, bounded, towards


def reference(
    target: np.ndarray, n_steps: int, threshold: np.ndarray, resting_value: np.ndarray, finest_exponent: np.ndarray
) -> tuple[np.ndarray]:
    """target [B, ...], parameters broadcastable to [B, ...] -> total [B, ...].

    Raises:
        ValueError: n_steps below 1, or a scalar target.
    """
    if n_steps < 1 or target.ndim == 0:
        raise ValueError("it needs n_steps >= 1 and a target with a first axis")
    rest = time_axis.initial(resting_value, target[None])
    missing = (target.astype(rest.dtype) - rest) / threshold
    total = rest + threshold * towards(missing, bounded(finest_exponent), n_steps)
    return (total.astype(target.dtype),)


OPERATOR = Operator(
    name="MultiThresholdSum",
    summary="The sum of all spikes of the delta code, in one pass: the neuron of its two-phase schedule.",
    equation=(
        "missing = (target - resting_value) / threshold, sent = 0; "
        "n_steps times: j the smallest >= 0 with |missing| >= 3/4 2^-j, "
        "and where j <= finest_exponent sent += sign(missing) 2^-j, missing -= sign(missing) 2^-j; "
        "total = resting_value + threshold sent"
    ),
    input=current("target", "[B, ...]"),
    output=current("total", "[B, ...], the sum of the spikes from the resting value on"),
    parameters=PARAMETERS,
    reference=reference,
    body=f"""
    {_body.number("zero", 0, "threshold")}
    {_body.number("one", 1, "threshold")}
    no_axes = Constant<value = int64[0] {{}}>()
    {_body.checked_steps()}
    slots = Reshape(steps, no_axes)
    {BODY_CONSTANTS}
    target_cast = CastLike(target, threshold)
    above_rest = Sub(target_cast, resting_value)
    missing = Div(above_rest, threshold)
    {body_spikes("slots", "exponent_first", "missing")}
    sent_value = Mul(threshold, sent_now)
    total_exact = Add(resting_value, sent_value)
    total = CastLike(total_exact, target)
    """,
    kernel=Kernel(
        {"MultiThresholdSum": "MultiThresholdSum<0>"}
        | {f"MultiThresholdSum{n}": f"MultiThresholdSum<{n}>" for n in (4, 6)},
        lambda attributes, element: "MultiThresholdSum",
        lambda attributes, element: [],
    ),
    time=Time.AT_ONCE,
    takes="target",
    height=Height("threshold", Unit.DIFFERENTIAL),
    code="delta",
    usual=(-1.5, 1.5),
)
