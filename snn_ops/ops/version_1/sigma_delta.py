"""SigmaDelta of version 1: net_count is one number.

n = clip(round((step + 1) * target / threshold) - net_count, -max_spikes, max_spikes)    (max_spikes 0: no limit)
spikes = n * threshold,   net_count = net_count + n,   step = step + 1
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import NOT_NEGATIVE, Attribute, Height, Parameter, State, Unit, current
from snn_ops.ops.version_1 import if_


def reference(
    target: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    net_count: np.ndarray,
    step: int,
    *,
    max_spikes: int,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """target [T*B, ...], threshold and net_count broadcastable to [B, ...] -> spikes [T*B, ...], net_count, step."""
    targets = time_axis.split(target, n_steps, constant_current)
    net_count = time_axis.initial(net_count, targets)
    spikes = np.empty(targets.shape, target.dtype)
    for t, value in enumerate(targets):
        total = net_count.dtype.type(step + t + 1) * value.astype(net_count.dtype)
        n = np.round(total / threshold) - net_count
        if max_spikes:
            n = np.clip(n, -max_spikes, max_spikes)
        net_count = (net_count + n).astype(net_count.dtype)
        spikes[t] = n * threshold
    return time_axis.merge(spikes), net_count, np.asarray(step + len(targets), np.int64)


_CONSTANTS = """
most_int = Constant<value_int: int = @max_spikes>()
most = CastLike(most_int, net_count)
least = Neg(most)
is_limited = Cast<to = 9>(most_int)
"""

_STEP = """
total = Mul(count, j)
quotient = Div(total, threshold)
whole = Round(quotient)
difference = Sub(whole, v_net_count)
is_high = Greater(difference, most)
is_too_high = And(is_high, is_limited)
at_most = Where(is_too_high, most, difference)
is_low = Less(at_most, least)
is_too_low = And(is_low, is_limited)
n = Where(is_too_low, least, at_most)
s = Mul(n, threshold)
net_count_next = Add(v_net_count, n)
"""

OPERATOR = Operator(
    name="SigmaDelta",
    summary="Signed spikes that track a target.",
    equation=(
        "n = clip(round((step + 1) target / threshold) - net_count, -max_spikes, max_spikes), ties rounded to even; "
        "spikes = n threshold; "
        "net_count += n; step += 1"
    ),
    input=current("target", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "the height of a spike", above_0=True),),
    states=(State("net_count", "positive minus negative spikes sent so far"),),
    attributes=(Attribute("max_spikes", 1, "most spikes of either sign in one step; 0: no limit", NOT_NEGATIVE),),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["net_count"], _STEP, x="target", counts_steps=True),
    kernel=only("SigmaDelta1", if_.max_spikes),
    counts_steps=True,
    takes="target",
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-1.5, 1.5),
)
