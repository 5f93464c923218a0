"""IF of version 1: voltage and net_count are one number each.

u = voltage + current
n = clip(floor(u / threshold), least, max_spikes)      (max_spikes 0: no limit)
least = 0 or, signed, -min(net_count, max_spikes)      (spikes that were sent are taken back)
spikes = n * threshold
voltage = u - spikes,   net_count = net_count + n
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import FLAG, NOT_NEGATIVE, Attribute, Attributes, Height, Parameter, State, Unit, current


def reference(
    current: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    voltage: np.ndarray,
    net_count: np.ndarray,
    *,
    max_spikes: int,
    signed: int,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """current [T*B, ...], threshold and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    voltage, net_count = time_axis.initial(voltage, currents), time_axis.initial(net_count, currents)
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents):
        u = voltage + x.astype(voltage.dtype)
        n = np.floor(u / threshold)
        least = -(np.minimum(net_count, max_spikes) if max_spikes else net_count) if signed else 0
        n = np.where(n > least, n, least)
        if max_spikes:
            n = np.where(n > max_spikes, max_spikes, n)
        s = (n * threshold).astype(voltage.dtype)
        spikes[t], voltage, net_count = s, u - s, (net_count + n).astype(voltage.dtype)
    return time_axis.merge(spikes), voltage, net_count


_CONSTANTS = """
most_int = Constant<value_int: int = @max_spikes>()
most = CastLike(most_int, voltage)
is_limited = Cast<to = 9>(most_int)
signed_int = Constant<value_int: int = @signed>()
is_signed = Cast<to = 9>(signed_int)
"""

_STEP = """
u = Add(v_voltage, j)
quotient = Div(u, threshold)
whole = Floor(quotient)
sent_more = Greater(v_net_count, most)
is_much = And(sent_more, is_limited)
can_take_back = Where(is_much, most, v_net_count)
minus_sent = Neg(can_take_back)
least = Where(is_signed, minus_sent, zero)
is_above = Greater(whole, least)
at_least = Where(is_above, whole, least)
is_more = Greater(at_least, most)
is_too_many = And(is_more, is_limited)
n = Where(is_too_many, most, at_least)
s = Mul(n, threshold)
voltage_next = Sub(u, s)
net_count_next = Add(v_net_count, n)
"""


def max_spikes(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """The constants of every neuron that counts its spikes."""
    return [("long long", attributes["max_spikes"])]


OPERATOR = Operator(
    name="IF",
    summary="Integrate and fire with soft reset.",
    equation=(
        "u = voltage + current; n = clip(floor(u / threshold), least, max_spikes), least = 0 or, signed, "
        "-min(net_count, max_spikes); spikes = n threshold; voltage = u - spikes; net_count = net_count + n"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "also the height of a spike", above_0=True),),
    states=(
        State("voltage", "initial membrane potential, in the unit of the threshold"),
        State("net_count", "spikes sent so far minus spikes taken back", matters_if="signed"),
    ),
    attributes=(
        Attribute("max_spikes", 1, "most spikes in one step, and most taken back; 0: no limit", NOT_NEGATIVE),
        Attribute("signed", 0, "1: a neuron below 0 takes back spikes that it sent", FLAG),
    ),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["voltage", "net_count"], _STEP),
    # kernels/operators/if.h takes "IF1", which counts nothing, where nobody asks for net_count
    kernel=Kernel(
        {"IF1": "IF1", "IFBurst1": "IFCounting1<false>", "IFSigned1": "IFCounting1<true>"},
        variant=lambda attributes, element: "IFSigned1" if attributes["signed"] else "IFBurst1",
        constants=max_spikes,
    ),
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-0.8, 2.4),
    twin="nengo.SpikingRectifiedLinear (threshold = amplitude / dt, max_spikes = 0, currents >= 0)",
)
