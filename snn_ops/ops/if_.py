"""IF: integrate and fire with soft reset.

    added = current + voltage_low,   u = voltage + added
    n = clip(floor(u / threshold), least, max_spikes)      (max_spikes 0: no limit)
    least = 0 or, signed, -min(count, max_spikes)          (spikes that were sent are taken back)
    spikes = n * threshold
    change = added - spikes,   next = voltage + change,   voltage_low = change - (next - voltage),   voltage = next
    count = net_count + net_count_low + n

Below 0, and where it cannot fire as fast as its current asks for, a neuron's voltage grows without bound. voltage_low is what
the voltage has lost by rounding; in float32 alone a current of 0.3 would change nothing any more at -10^7, and the neuron would
stay silent for ever. The count is exact, too: net_count is the count in the type, net_count_low the rest.

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


def reference(
    current: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    voltage: np.ndarray,
    net_count: np.ndarray,
    voltage_low: np.ndarray,
    net_count_low: np.ndarray,
    *,
    max_spikes: int,
    signed: int,
    constant_current: int,
) -> tuple[np.ndarray, ...]:
    """current [T*B, ...], threshold and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    voltage, low = time_axis.initial(voltage, currents), time_axis.initial(voltage_low, currents)
    count, count_low = time_axis.initial(net_count, currents), time_axis.initial(net_count_low, currents)
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents):
        added = x.astype(voltage.dtype) + low
        n = np.floor((voltage + added) / threshold)
        sent = count + count_low
        least = -(np.minimum(sent, max_spikes) if max_spikes else sent) if signed else 0
        n = np.where(n > least, n, least)
        if max_spikes:
            n = np.where(n > max_spikes, max_spikes, n)
        spikes[t] = s = (n * threshold).astype(voltage.dtype)
        voltage, low = time_axis.moved(voltage, added - s)
        count, count_low = time_axis.add(count, count_low, n.astype(voltage.dtype))
    return time_axis.merge(spikes), voltage, count, low, count_low


_CONSTANTS = """
most_int = Constant<value_int: int = @max_spikes>()
most = CastLike(most_int, voltage)
is_limited = Cast<to = 9>(most_int)
signed_int = Constant<value_int: int = @signed>()
is_signed = Cast<to = 9>(signed_int)
"""

_STEP = """
added = Add(j, v_voltage_low)
u = Add(v_voltage, added)
quotient = Div(u, threshold)
whole = Floor(quotient)
sent = Add(v_net_count, v_net_count_low)
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
change = Sub(added, s)
voltage_next = Add(v_voltage, change)
moved = Sub(voltage_next, v_voltage)
voltage_low_next = Sub(change, moved)
""" + _body.add("net_count", "n")


def max_spikes(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """The constants of every neuron that counts its spikes."""
    return [("long long", attributes["max_spikes"])]


OPERATOR = Operator(
    name="IF",
    summary="Integrate and fire with soft reset.",
    equation=(
        "added = current + voltage_low; n = clip(floor((voltage + added) / threshold), least, max_spikes), least = 0 or, "
        "signed, -min(count, max_spikes); spikes = n threshold; change = added - spikes; next = voltage + change; "
        "voltage_low = change - (next - voltage); voltage = next; count += n, count = net_count + net_count_low"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "also the height of a spike", above_0=True),),
    states=(
        State("voltage", "initial membrane potential, in the unit of the threshold", has_low_part=True),
        State("net_count", "spikes sent so far minus spikes taken back", matters_if="signed", has_low_part=True),
    ),
    attributes=(
        Attribute("max_spikes", 1, "most spikes in one step, and most taken back; 0: no limit", NOT_NEGATIVE),
        Attribute("signed", 0, "1: a neuron below 0 takes back spikes that it sent", FLAG),
    ),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["voltage", "voltage_low", "net_count", "net_count_low"], _STEP),
    # kernels/operators/if.h takes "IF", which counts nothing, where nobody asks for net_count
    kernel=Kernel(
        {"IF": "IF", "IFBurst": "IFCounting<false>", "IFSigned": "IFCounting<true>"},
        variant=lambda attributes, element: "IFSigned" if attributes["signed"] else "IFBurst",
        constants=max_spikes,
    ),
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-0.8, 2.4),
    twin="nengo.SpikingRectifiedLinear (threshold = amplitude / dt, max_spikes = 0, currents >= 0)",
    since_version=2,
    earlier=version_1.OPERATOR,
)
