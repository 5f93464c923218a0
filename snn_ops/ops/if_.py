"""IF: integrate and fire with soft reset.

    u = voltage + current
    n = clip(floor((voltage_base + u) / threshold), least, max_spikes)      (max_spikes 0: no limit)
    least = 0 or, signed, -min(net_count_base + net_count, max_spikes)      (spikes that were sent are taken back)
    spikes = n * threshold
    voltage = u - spikes,   net_count = net_count + n,   step = step + 1
    where step is a multiple of 64, a finite voltage moves into voltage_base if it is 8 thresholds or more from 0, and a
    finite net_count into net_count_base if it is 4096 or more from 0; what the base loses by rounding stays behind. Of these
    four, what is not finite becomes 0 then

Below 0, and where it cannot fire as fast as its current asks for, a neuron's voltage grows without bound. In one number of
float32 a current of 0.3 would change nothing any more at -10^7, and the neuron would stay silent for ever. So the voltage is
two numbers, voltage_base + voltage, of which the second stays small; the count, net_count_base + net_count, is exact. As long
as nothing has moved, this is IF of version 1 to the last bit.

With constant current z and initial voltage v0 the mean of the spikes over T steps is z - (v_T - v0) / T: the ANN's ReLU,
quantised to steps of threshold / T and clipped at threshold * max_spikes. v0 = threshold / 2 turns rounding down into
rounding to nearest.

Sources: B. Rueckauer et al., Conversion of continuous-valued deep networks to efficient event-driven networks, Frontiers in
Neuroscience 11 (2017); T. Bu et al., Optimized potential initialization for low-latency spiking neural networks, AAAI 2022;
signed memory: Y. Wang et al., Signed neuron with memory, IJCAI 2022; several spikes a step: Y. Li and Y. Zeng, Efficient and
accurate conversion of spiking neural network with burst spikes, IJCAI 2022. With threshold = amplitude / dt and
max_spikes = 0 it computes nengo.SpikingRectifiedLinear for currents that are not negative.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import FLAG, NOT_NEGATIVE, Attribute, Attributes, Height, Parameter, State, Unit, current
from snn_ops.ops.version_1 import if_ as version_1

USUAL_VOLTAGE = 8.0
"""In thresholds: at a voltage further from 0 it moves into its base."""
USUAL_COUNT = 4096.0
"""At a count further from 0 it moves into its base, long before 2^24, where float32 loses ones."""


def reference(
    current: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    voltage: np.ndarray,
    net_count: np.ndarray,
    step: int,
    voltage_base: np.ndarray,
    net_count_base: np.ndarray,
    *,
    max_spikes: int,
    signed: int,
    constant_current: int,
) -> tuple[np.ndarray, ...]:
    """current [T*B, ...], threshold and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    voltage, voltage_base = time_axis.initial(voltage, currents), time_axis.initial(voltage_base, currents)
    count, count_base = time_axis.initial(net_count, currents), time_axis.initial(net_count_base, currents)
    dtype = voltage.dtype
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents):
        u = voltage + x.astype(dtype)
        n = np.floor((voltage_base + u) / threshold)
        sent = count_base + count
        least = -(np.minimum(sent, max_spikes) if max_spikes else sent) if signed else 0
        n = np.where(n > least, n, least)
        if max_spikes:
            n = np.where(n > max_spikes, max_spikes, n)
        spikes[t] = s = (n * threshold).astype(dtype)
        voltage, count = u - s, (count + n).astype(dtype)
        done = step + t + 1
        voltage, voltage_base = time_axis.rebased(
            voltage, voltage_base, done, USUAL_VOLTAGE * np.asarray(threshold, dtype)
        )
        count, count_base = time_axis.rebased(count, count_base, done, USUAL_COUNT)
    step_out = np.asarray(step + len(currents), np.int64)
    return time_axis.merge(spikes), voltage, count, step_out, voltage_base, count_base


_CONSTANTS = (
    """
most_int = Constant<value_int: int = @max_spikes>()
most = CastLike(most_int, voltage)
is_limited = Cast<to = 9>(most_int)
signed_int = Constant<value_int: int = @signed>()
is_signed = Cast<to = 9>(signed_int)
"""
    + _body.number("usual_count", USUAL_COUNT, "voltage")
    + _body.number("usual", USUAL_VOLTAGE, "voltage")
    + """
usual_voltage = Mul(usual, threshold)
"""
)

_STEP = (
    """
u = Add(v_voltage, j)
u_whole = Add(v_voltage_base, u)
quotient = Div(u_whole, threshold)
whole = Floor(quotient)
sent = Add(v_net_count_base, v_net_count)
sent_more = Greater(sent, most)
is_much = And(sent_more, is_limited)
can_take_back = Where(is_much, most, sent)
minus_sent = Neg(can_take_back)
least = Where(is_signed, minus_sent, zero)
is_above = Greater(whole, least)
at_least = Where(is_above, whole, least)
is_more = Greater(at_least, most)
is_too_many = And(is_more, is_limited)
n = Where(is_too_many, most, at_least)
s = Mul(n, threshold)
voltage_sum = Sub(u, s)
net_count_sum = Add(v_net_count, n)
"""
    + _body.IS_DUE
    + _body.rebase("voltage", "usual_voltage")
    + _body.rebase("net_count", "usual_count")
)


def max_spikes(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """The constants of every neuron that counts its spikes."""
    return [("long long", attributes["max_spikes"])]


OPERATOR = Operator(
    name="IF",
    summary="Integrate and fire with soft reset.",
    equation=(
        "u = voltage + current; n = clip(floor((voltage_base + u) / threshold), least, max_spikes), least = 0 or, signed, "
        "-min(net_count_base + net_count, max_spikes); spikes = n threshold; voltage = u - spikes; net_count += n; "
        "step += 1; where step is a multiple of 64: a finite voltage moves into voltage_base if |voltage| >= 8 threshold, a "
        "finite net_count into net_count_base if |net_count| >= 4096, what the base loses by rounding stays "
        "behind, and what is not finite becomes 0"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "also the height of a spike", above_0=True),),
    states=(
        State("voltage", "initial membrane potential, in the unit of the threshold", has_base=True),
        State("net_count", "spikes sent so far minus spikes taken back", matters_if="signed", has_base=True),
    ),
    attributes=(
        Attribute("max_spikes", 1, "most spikes in one step, and most taken back; 0: no limit", NOT_NEGATIVE),
        Attribute("signed", 0, "1: a neuron below 0 takes back spikes that it sent", FLAG),
    ),
    reference=reference,
    body=_CONSTANTS
    + _body.temporal(["voltage", "voltage_base", "net_count", "net_count_base"], _STEP, counts_steps=True),
    # kernels/operators/if.h takes "IF", which counts nothing, where nobody asks for net_count
    kernel=Kernel(
        {"IF": "IF", "IFBurst": "IFCounting<false>", "IFSigned": "IFCounting<true>"},
        variant=lambda attributes, element: "IFSigned" if attributes["signed"] else "IFBurst",
        constants=max_spikes,
    ),
    counts_steps=True,
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-0.8, 2.4),
    twin="nengo.SpikingRectifiedLinear (threshold = amplitude / dt, max_spikes = 0, currents >= 0)",
    since_version=2,
    earlier=version_1.OPERATOR,
)
