"""MultiThreshold: the neuron of the delta code. Each spike is a change of the value; the largest changes go first.

    missing = (target - resting_value) / threshold - sent
    up to max_spikes times in a step:
        j = the smallest whole number >= 0 with |missing| >= 3/4 2^-j
        where j <= finest_exponent + min(step, refinements):  a spike, sign(missing) 2^-j
            sent = sent + sign(missing) 2^-j,   missing = missing - sign(missing) 2^-j
    total = resting_value + threshold * sent,   step = step + 1
    where sent is not finite, sent = 0

The output is the running sum of the spikes, from the resting value on: a spike is sign * threshold * 2^-j high, so the weights
behind it take a shift and an addition. Hardware whose spikes are all alike needs the rate code. A layer that has added up all
weighted spikes, and its bias once, holds W total + b, and this is what the file computes: no error adds up, whatever the number
of steps. The spikes themselves are the changes of the output from step to step.

Where the target stays, `refinements` steps bring the sum within 3/4 threshold 2^-finest of it, and then nothing is sent. The
finest exponent and the resting value may differ from channel to channel. 3/4 is the middle between a height and the next: with
spikes left over, a value takes as many as its non-adjacent form has digits. In float32 `sent` is exact up to 4096 thresholds at
an exponent of 12. A target that is not finite makes the output
NaN, and at the next step the neuron begins anew from its resting value.

Sources: differential coding, a neuron's spikes are changes of its value, and multi-threshold neurons, with thresholds of powers
of two and the 3/4 rule: Z. Huang et al., Differential coding for training-free ANN-to-SNN conversion, ICML 2025.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import (
    AT_LEAST_1,
    NOT_NEGATIVE,
    Attribute,
    Attributes,
    Height,
    Parameter,
    State,
    Unit,
    current,
)

MOST_EXPONENT = 30
"""Of a height 2^-j, of either sign; beyond it counts as this."""
MOST_SPIKES = 1 << 24
"""Of a neuron in one step: in float32 a sum of spikes of height 1 grows no further. kernels/operators/operator.h."""
PARAMETERS = (
    Parameter("threshold", "the height of the largest spike", above_0=True),
    Parameter("resting_value", "the value before the first spike", default=0.0),
    Parameter("finest_exponent", "j of the smallest spike 2^-j in the first step, a whole number", default=6.0),
)


def reference(
    target: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    resting_value: np.ndarray,
    finest_exponent: np.ndarray,
    sent: np.ndarray,
    step: int,
    *,
    max_spikes: int,
    refinements: int,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """target [T*B, ...], parameters and sent broadcastable to [B, ...] -> total [T*B, ...], sent [B, ...], step."""
    targets = time_axis.split(target, n_steps, constant_current)
    sent, rest = time_axis.initial(sent, targets), time_axis.initial(resting_value, targets)
    total = np.empty(targets.shape, target.dtype)
    for t, value in enumerate(targets):
        missing = (value.astype(sent.dtype) - rest) / threshold - sent
        finest = bounded(finest_exponent) + min(step + t, refinements)
        sent = sent + towards(missing, finest, max_spikes)
        total[t] = rest + threshold * sent
        sent = time_axis.finite(sent)
    return time_axis.merge(total), sent, np.asarray(step + len(targets), np.int64)


def bounded(exponent: np.ndarray) -> np.ndarray:
    """A whole number within what a height may have."""
    bounds: np.ndarray = np.clip(np.trunc(np.asarray(exponent)), -MOST_EXPONENT, MOST_EXPONENT)
    return bounds


def towards(missing: np.ndarray, finest: np.ndarray, most: int) -> np.ndarray:
    """The sum of up to `most` spikes that bring `missing` towards 0, in units of the threshold."""
    finest = np.minimum(finest, MOST_EXPONENT)
    total: np.ndarray = np.zeros_like(missing)
    for _ in range(min(most, MOST_SPIKES)):
        mantissa, exponent = np.frexp(np.abs(missing))  # |missing| = mantissa 2^exponent, mantissa in [1/2, 1)
        j = np.maximum(np.where(mantissa >= 0.75, -exponent, 1 - exponent), 0)
        sends = np.abs(missing) >= 0.75 * np.exp2(-finest)
        spike = np.where(sends, np.copysign(np.ldexp(missing.dtype.type(1), -j), missing), 0).astype(missing.dtype)
        if not sends.any():  # nor will any later
            break
        total, missing = total + spike, missing - spike
    total += missing - missing
    return total


BODY_CONSTANTS = f"""
{_body.number("three_quarters", 0.75, "threshold")}
{_body.number("minus_one", -1, "threshold")}
{_body.number("two", 2, "threshold")}
{_body.number("most_exponent", MOST_EXPONENT, "threshold")}
{_body.number("least_exponent", -MOST_EXPONENT, "threshold")}
exponent_cast = CastLike(finest_exponent, threshold)
exponent_whole_size = Abs(exponent_cast)
exponent_whole = Floor(exponent_whole_size)
exponent_sign = Sign(exponent_cast)
exponent_given = Mul(exponent_whole, exponent_sign)
exponent_is_high = Greater(exponent_given, most_exponent)
exponent_at_most = Where(exponent_is_high, most_exponent, exponent_given)
exponent_is_low = Less(exponent_at_most, least_exponent)
exponent_first = Where(exponent_is_low, least_exponent, exponent_at_most)
""" + "".join(
    _body.number(f"shrink_{bit}", 2.0**-bit, "threshold")
    + _body.number(f"reach_{bit}", 0.75 * 2.0 ** (1 - bit), "threshold")
    for bit in (16, 8, 4, 2, 1)
)
"""What `spikes` needs, like threshold; also `exponent_first`."""


def body_spikes(count: str, exponent: str, missing: str) -> str:
    """``sent_now`` = the sum of up to ``count`` [int64] spikes towards ``missing``, of heights down to 2^-``exponent``.

    j is found bit by bit: where the size is below 3/4 2^-(j + 2^k - 1), j grows by 2^k.
    """
    ladder, height = "", "one"
    for bit in (16, 8, 4, 2, 1):
        ladder += f"""
        reach_at_{bit} = Mul({height}, reach_{bit})
        is_below_{bit} = Less(size, reach_at_{bit})
        shrunk_{bit} = Mul({height}, shrink_{bit})
        height_{bit} = Where(is_below_{bit}, shrunk_{bit}, {height})
        """
        height = f"height_{bit}"
    return f"""
    exponent_is_beyond = Greater({exponent}, most_exponent)
    exponent_now = Where(exponent_is_beyond, most_exponent, {exponent})
    exponent_negated = Neg(exponent_now)
    finest_height = Pow(two, exponent_negated)
    smallest = Mul(finest_height, three_quarters)
    nothing_sent = Sub({missing}, {missing})
    spike_first = Constant<value_int = 0>()
    spike_step = Constant<value_int = 1>()
    spike_numbers = Range(spike_first, {count}, spike_step)
    sent_last, missing_last = Scan<
      num_scan_inputs = 1,
      body = spike (total, left, number) => (total_next, left_next) {{
        is_negative = Less(left, zero)
        sign = Where(is_negative, minus_one, one)
        size = Mul(sign, left)
        {ladder}
        is_silent = Less(size, smallest)
        signed_height = Mul(sign, {height})
        sent_height = Where(is_silent, zero, signed_height)
        total_next = Add(total, sent_height)
        left_next = Sub(left, sent_height)
      }}
    >(nothing_sent, {missing}, spike_numbers)
    missing_is_number = Sub(missing_last, missing_last)
    sent_now = Add(sent_last, missing_is_number)
    """


_STEP = f"""
above_rest = Sub(j, resting_value)
wanted = Div(above_rest, threshold)
missing = Sub(wanted, v_sent)
is_refining = Less(step_before, refinements_int)
refined_int = Where(is_refining, step_before, refinements_int)
refined = CastLike(refined_int, threshold)
exponent_then = Add(exponent_first, refined)
{body_spikes("max_spikes_int", "exponent_then", "missing")}
sent_then = Add(v_sent, sent_now)
sent_value = Mul(threshold, sent_then)
s = Add(resting_value, sent_value)
{_body.finite("sent_then", "sent_next")}
"""


def _variant(attributes: Attributes, element: np.dtype) -> str:
    """The one with as many spikes known to the compiler."""
    known = attributes["max_spikes"] in (1, 4, 6)
    return f"MultiThreshold{attributes['max_spikes'] if known else ''}"


def _kernel_constants(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """MultiThresholdConstants of kernels/neurons.h."""
    return [("long long", min(attributes["max_spikes"], MOST_SPIKES)), ("long long", attributes["refinements"])]


OPERATOR = Operator(
    name="MultiThreshold",
    summary="The neuron of the delta code: spikes of several heights, each a change of the value.",
    equation=(
        "missing = (target - resting_value) / threshold - sent; "
        "up to max_spikes times: j the smallest >= 0 with |missing| >= 3/4 2^-j, "
        "and where j <= finest_exponent + min(step, refinements) sent += sign(missing) 2^-j, missing -= sign(missing) 2^-j; "
        "total = resting_value + threshold sent; where sent is not finite, sent = 0; step += 1"
    ),
    input=current("target", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current(
        "total", "[T*B, ...], the running sum of the spikes, +-threshold 2^-j high, from the resting value on"
    ),
    parameters=PARAMETERS,
    states=(State("sent", "the sum of the spikes so far, in thresholds"),),
    attributes=(
        Attribute("max_spikes", 1, "most spikes in one step; above 2^24 it is 2^24", AT_LEAST_1),
        Attribute(
            "refinements",
            0,
            "number of steps after the first in each of which the finest exponent grows by 1",
            NOT_NEGATIVE,
        ),
    ),
    reference=reference,
    body=f"""
    max_spikes_int = Constant<value_int: int = @max_spikes>()
    refinements_int = Constant<value_int: int = @refinements>()
    {BODY_CONSTANTS}
    """
    + _body.temporal(["sent"], _STEP, x="target", y="total", counts_steps=True),
    kernel=Kernel(
        {"MultiThreshold": "MultiThreshold<0>"} | {f"MultiThreshold{n}": f"MultiThreshold<{n}>" for n in (1, 4, 6)},
        _variant,
        _kernel_constants,
    ),
    counts_steps=True,
    takes="target",
    height=Height("threshold", Unit.DIFFERENTIAL),
    code="delta",
    usual=(-1.5, 1.5),
)
