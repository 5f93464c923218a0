"""BoundedIF: integrate and fire with bounded memory, for streams whose input changes.

    u = voltage + current
    n = clip(floor(u / threshold), least, max_spikes),   least = 0 or, signed, -max_spikes
    spikes = n * threshold
    voltage = clip(u - spikes, -memory * threshold, (1 + memory) * threshold)

IF keeps all that it was ever given: a neuron that was inhibited for long stays silent for as long under an input that should
make it fire. Here inhibition, and current that comes faster than max_spikes can be sent, count up to `memory` thresholds; the
rest is forgotten. So what a neuron does depends on its last inputs alone. With `signed` it sends negative spikes too, and the
mean of the spikes follows a current of either sign: a sigma-delta modulator.

At a constant current z in its range and from the initial voltage v0 the mean of the spikes over T steps is z - (v_T - v0) / T,
as for IF. A NaN is forgotten as well: the voltage is the lowest then.

Sources: nengo/neurons.py, class SpikingRectifiedLinear (Nengo 4.1), which is memory = 0 but for what is sent too late; lower
bounds of membrane potentials: P. U. Diehl et al., Fast-classifying, high-accuracy spiking deep networks through weight and
threshold balancing, IJCNN 2015.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import (
    AT_LEAST_1,
    FLAG,
    NOT_NEGATIVE,
    Attribute,
    Attributes,
    Height,
    Parameter,
    State,
    Unit,
    current,
)


def reference(
    current: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    voltage: np.ndarray,
    *,
    max_spikes: int,
    signed: int,
    memory: float,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray]:
    """current [T*B, ...], threshold and voltage broadcastable to [B, ...] -> spikes [T*B, ...], voltage [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    voltage = time_axis.initial(voltage, currents)
    dtype = voltage.dtype
    threshold = np.asarray(threshold, dtype)
    lowest, highest = dtype.type(-memory) * threshold, dtype.type(1 + memory) * threshold
    least = -max_spikes if signed else 0
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents):
        u = voltage + x.astype(dtype)
        n = np.floor(u / threshold)
        n = np.where(n > least, n, dtype.type(least))
        n = np.where(n > max_spikes, dtype.type(max_spikes), n)
        spikes[t] = s = n * threshold
        voltage = u - s
        voltage = np.where(voltage > lowest, voltage, lowest)
        voltage = np.where(voltage > highest, highest, voltage)
    return time_axis.merge(spikes), voltage


_CONSTANTS = (
    """
most_int = Constant<value_int: int = @max_spikes>()
most = CastLike(most_int, voltage)
minus_most = Neg(most)
signed_int = Constant<value_int: int = @signed>()
is_signed = Cast<to = 9>(signed_int)
"""
    + _body.attribute("memory", "voltage")
    + """
one_exact = Constant<value = double {1.0}>()
beyond_exact = Add(one_exact, memory_exact)
beyond = CastLike(beyond_exact, voltage)
minus_memory = Neg(memory)
lowest = Mul(minus_memory, threshold)
highest = Mul(beyond, threshold)
"""
)

_STEP = """
u = Add(v_voltage, j)
quotient = Div(u, threshold)
whole = Floor(quotient)
least = Where(is_signed, minus_most, zero)
is_above = Greater(whole, least)
at_least = Where(is_above, whole, least)
is_more = Greater(at_least, most)
n = Where(is_more, most, at_least)
s = Mul(n, threshold)
left = Sub(u, s)
is_inside = Greater(left, lowest)
not_below = Where(is_inside, left, lowest)
is_beyond = Greater(not_below, highest)
voltage_next = Where(is_beyond, highest, not_below)
"""


def _kernel_constants(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """BoundedIF::Constants of kernels/neurons.h."""
    most, memory = attributes["max_spikes"], attributes["memory"]
    return [("S", -most if attributes["signed"] else 0), ("S", most), ("S", -memory), ("S", 1 + memory)]


OPERATOR = Operator(
    name="BoundedIF",
    summary="Integrate and fire with bounded memory.",
    equation=(
        "u = voltage + current; n = clip(floor(u / threshold), least, max_spikes), least = 0 or, signed, -max_spikes; "
        "spikes = n threshold; voltage = clip(u - spikes, -memory threshold, (1 + memory) threshold)"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], multiples of the threshold"),
    parameters=(Parameter("threshold", "also the height of a spike", above_0=True),),
    states=(State("voltage", "initial membrane potential, in the unit of the threshold"),),
    attributes=(
        Attribute("max_spikes", 1, "most spikes in one step, of either sign", AT_LEAST_1),
        Attribute("signed", 0, "1: a neuron below 0 sends negative spikes", FLAG),
        Attribute(
            "memory", 1.0, "how many thresholds below 0, and above the threshold, the voltage may be kept", NOT_NEGATIVE
        ),
    ),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["voltage"], _STEP),
    kernel=only("BoundedIF", _kernel_constants),
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-0.8, 2.4),
)
