"""SigmaDelta: signed spikes that track a target.

    n = clip(round((step + 1) * target / threshold) - net_count_base - net_count, -max_spikes, max_spikes)
    spikes = n * threshold,   net_count = net_count + n,   step = step + 1              (max_spikes 0: no limit)
    where step is a multiple of 64, a finite net_count moves into net_count_base if it is 4096 or more from 0; what the base
    loses by rounding stays behind. Of these two, what is not finite becomes 0 then

The count, net_count_base + net_count, is exact; in one number of float32 it would stop at 2^24. The product is as fine as the
target: after 10^8 steps the last digit of a float32 target is worth some spikes. As long as nothing has moved, this is
SigmaDelta of version 1 to the last bit.

The mean of the spikes up to now follows the target within threshold / (2 T) once the rate suffices. With RunningMean and any
function before it, it makes that activation spike: negative values cost negative spikes, a saturated activation spikes in
every step. Rounding is to nearest, ties to even.

Source: the tracking form of graded-activation neurons, e.g. P. O'Connor and M. Welling, Sigma delta quantized networks,
ICLR 2017.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, if_, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import NOT_NEGATIVE, Attribute, Height, Parameter, State, Unit, current
from snn_ops.ops.version_1 import sigma_delta as version_1


def reference(
    target: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    net_count: np.ndarray,
    step: int,
    net_count_base: np.ndarray,
    *,
    max_spikes: int,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """target [T*B, ...], threshold and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...], step between."""
    targets = time_axis.split(target, n_steps, constant_current)
    count, base = time_axis.initial(net_count, targets), time_axis.initial(net_count_base, targets)
    spikes = np.empty(targets.shape, target.dtype)
    for t, value in enumerate(targets):
        total = count.dtype.type(step + t + 1) * value.astype(count.dtype)
        n = np.round(total / threshold) - base - count
        if max_spikes:
            n = np.clip(n, -max_spikes, max_spikes)
        count, base = time_axis.rebased((count + n).astype(count.dtype), base, step + t + 1, if_.USUAL_COUNT)
        spikes[t] = n * threshold
    return time_axis.merge(spikes), count, np.asarray(step + len(targets), np.int64), base


_CONSTANTS = """
most_int = Constant<value_int: int = @max_spikes>()
most = CastLike(most_int, net_count)
least = Neg(most)
is_limited = Cast<to = 9>(most_int)
""" + _body.number("usual_count", if_.USUAL_COUNT, "net_count")

_STEP = (
    """
total = Mul(count, j)
quotient = Div(total, threshold)
whole = Round(quotient)
since_base = Sub(whole, v_net_count_base)
difference = Sub(since_base, v_net_count)
is_high = Greater(difference, most)
is_too_high = And(is_high, is_limited)
at_most = Where(is_too_high, most, difference)
is_low = Less(at_most, least)
is_too_low = And(is_low, is_limited)
n = Where(is_too_low, least, at_most)
s = Mul(n, threshold)
net_count_sum = Add(v_net_count, n)
"""
    + _body.IS_DUE
    + _body.rebase("net_count", "usual_count")
)

OPERATOR = Operator(
    name="SigmaDelta",
    summary="Signed spikes that track a target.",
    equation=(
        "n = clip(round((step + 1) target / threshold) - net_count_base - net_count, -max_spikes, max_spikes), ties rounded "
        "to even; spikes = n threshold; net_count += n; step += 1; where step is a multiple of 64: a finite net_count moves "
        "into net_count_base if |net_count| >= 4096, what the base loses by rounding stays behind, and what is not "
        "finite becomes 0"
    ),
    input=current("target", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "the height of a spike", above_0=True),),
    states=(State("net_count", "positive minus negative spikes sent so far", has_base=True),),
    attributes=(Attribute("max_spikes", 1, "most spikes of either sign in one step; 0: no limit", NOT_NEGATIVE),),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["net_count", "net_count_base"], _STEP, x="target", counts_steps=True),
    kernel=only("SigmaDelta", if_.max_spikes),
    counts_steps=True,
    takes="target",
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-1.5, 1.5),
    since_version=2,
    earlier=version_1.OPERATOR,
)
