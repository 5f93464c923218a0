"""AdaptiveLIF: a LIF neuron whose firing adapts, as nengo.AdaptiveLIF.

    LIF with current - adaptation in place of the current, then
    adaptation = adaptation + dt / tau_n * (inc_n * spikes - adaptation)

Source: nengo/neurons.py, class AdaptiveLIF (Nengo 4.1); J. Camera et al., Neural Computation 16(10), 2004.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, lif, time_axis
from snn_ops.ops._kernel import Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import ABOVE_0, NOT_NEGATIVE, Attribute, State


def reference(
    current: np.ndarray,
    n_steps: int,
    amplitude: np.ndarray,
    voltage: np.ndarray,
    refractory_time: np.ndarray,
    adaptation: np.ndarray,
    *,
    tau_n: float,
    inc_n: float,
    dt: float,
    constant_current: int,
    tau_rc: float,
    tau_ref: float,
    min_voltage: float,
    smallest: float,
) -> tuple[np.ndarray, ...]:
    """current [T*B, ...], amplitude and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    dtype = time_axis.arithmetic(current)
    states = [time_axis.initial(value, currents) for value in (voltage, refractory_time)]
    n = time_axis.initial(adaptation, currents)
    rate = dtype.type(dt / tau_n)
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents.astype(dtype, copy=False)):
        out, *states = lif.reference(
            x - n,
            1,
            amplitude,
            *states,
            tau_rc=tau_rc,
            tau_ref=tau_ref,
            min_voltage=min_voltage,
            dt=dt,
            smallest=smallest,
            constant_current=1,
        )
        n = time_axis.without_smallest(n + rate * (dtype.type(inc_n) * out - n), smallest)
        spikes[t] = out
    return time_axis.merge(spikes), *states, n


_CONSTANTS = (
    lif.CONSTANTS
    + _body.attribute("tau_n", "voltage")
    + _body.attribute("inc_n", "voltage")
    + "rate_64 = Div(dt_exact, tau_n_exact)\nrate = CastLike(rate_64, voltage)\n"
)

_STEP = f"""
j_less = Sub(j, v_adaptation)
{lif.step("j_less")}
increase = Mul(inc_n, s)
towards = Sub(increase, v_adaptation)
change_of_n = Mul(rate, towards)
adaptation_new = Add(v_adaptation, change_of_n)
{_body.without_smallest("adaptation_new", "adaptation_next")}
"""

OPERATOR = Operator(
    name="AdaptiveLIF",
    summary="Leaky integrate and fire with adaptation, as nengo.AdaptiveLIF.",
    equation=(
        "LIF of (current - adaptation); adaptation += dt / tau_n (inc_n spikes - adaptation); "
        "where |adaptation| < smallest: adaptation = 0"
    ),
    input=lif.OPERATOR.input,
    output=lif.OPERATOR.output,
    parameters=lif.OPERATOR.parameters,
    states=(*lif.OPERATOR.states, State("adaptation", "initial adaptation, in units of current")),
    attributes=(
        *lif.OPERATOR.attributes,
        Attribute("tau_n", 1.0, "time constant of the adaptation in seconds", ABOVE_0),
        Attribute("inc_n", 0.01, "increase of the adaptation per spike area", NOT_NEGATIVE),
    ),
    reference=reference,
    body=_CONSTANTS + _body.temporal(["voltage", "refractory_time", "adaptation"], _STEP),
    kernel=Kernel(
        {"AdaptiveLIF": "Adaptive<LIF>", "AdaptiveLIFSmallStep": "Adaptive<LIFSmallStep>"},
        variant=lambda attributes, element: f"Adaptive{lif.variant(attributes, element)}",
        constants=lif.kernel_constants,
    ),
    height=lif.OPERATOR.height,
    code="rate",
    usual=lif.OPERATOR.usual,
    twin="nengo.AdaptiveLIF",
)
