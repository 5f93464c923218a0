"""SigmaDelta: signed spikes that track a target.

    n = clip(round((step + 1) * (target / threshold)) - count, -max_spikes, max_spikes)      (max_spikes 0: no limit)
    spikes = n * threshold,   count = net_count + net_count_low + n,   step = step + 1

The count is exact: net_count is the count in the type, net_count_low the rest; the product and the difference are taken in
float64. In float32 alone a count would stop at 2^24, and the product would be a multiple of 8 after 10^8 steps.

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
    net_count_low: np.ndarray,
    *,
    max_spikes: int,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """target [T*B, ...], threshold and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...], step between."""
    targets = time_axis.split(target, n_steps, constant_current)
    count, low = time_axis.initial(net_count, targets), time_axis.initial(net_count_low, targets)
    dtype = count.dtype
    spikes = np.empty(targets.shape, target.dtype)
    for t, value in enumerate(targets):
        ratio = (value.astype(dtype) / threshold).astype(np.float64)
        n = np.round(np.float64(step + t + 1) * ratio) - count - low
        if max_spikes:
            n = np.clip(n, -max_spikes, max_spikes)
        n = n.astype(dtype)
        count, low = time_axis.add(count, low, n)
        spikes[t] = n * threshold
    return time_axis.merge(spikes), count, np.asarray(step + len(targets), np.int64), low


_CONSTANTS = """
most_int = Constant<value_int: int = @max_spikes>()
most = Cast<to = 11>(most_int)
least = Neg(most)
is_limited = Cast<to = 9>(most_int)
"""

_STEP = """
ratio = Div(j, threshold)
ratio_64 = Cast<to = 11>(ratio)
count_64 = Cast<to = 11>(step_next)
total = Mul(count_64, ratio_64)
whole = Round(total)
sent = Cast<to = 11>(v_net_count)
sent_low = Cast<to = 11>(v_net_count_low)
difference_high = Sub(whole, sent)
difference = Sub(difference_high, sent_low)
is_high = Greater(difference, most)
is_too_high = And(is_high, is_limited)
at_most = Where(is_too_high, most, difference)
is_low = Less(at_most, least)
is_too_low = And(is_low, is_limited)
n_64 = Where(is_too_low, least, at_most)
n = CastLike(n_64, threshold)
s = Mul(n, threshold)
""" + _body.add("net_count", "n")

OPERATOR = Operator(
    name="SigmaDelta",
    summary="Signed spikes that track a target.",
    equation=(
        "n = clip(round((step + 1) (target / threshold)) - count, -max_spikes, max_spikes), ties rounded to even; "
        "spikes = n threshold; "
        "count += n, count = net_count + net_count_low; step += 1"
    ),
    input=current("target", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "the height of a spike", above_0=True),),
    states=(State("net_count", "positive minus negative spikes sent so far", has_low_part=True),),
    attributes=(Attribute("max_spikes", 1, "most spikes of either sign in one step; 0: no limit", NOT_NEGATIVE),),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["net_count", "net_count_low"], _STEP, x="target", counts_steps=True),
    kernel=only("SigmaDelta", if_.max_spikes),
    counts_steps=True,
    takes="target",
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-1.5, 1.5),
    since_version=2,
    earlier=version_1.OPERATOR,
)
