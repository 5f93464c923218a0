"""Izhikevich: two variables that reproduce many firing patterns, as nengo.Izhikevich.

    J = max(current, -30)
    voltage = voltage + (0.04 voltage^2 + 5 voltage + 140 - recovery + J) * 1000 * dt
    where voltage >= 30:  spikes = amplitude / dt,  voltage = reset_voltage
    recovery = recovery + tau_recovery * (coupling * voltage - recovery) * 1000 * dt
    where it spiked:      recovery = recovery + reset_recovery

Voltages are in mV; the model's own time is in ms, hence the 1000. The defaults are regular spiking neurons. At dt = 1 ms the
model is chaotic for many parameters: float32 and float64 part after some hundred steps (docs/FINDINGS.md).

Source: nengo/neurons.py, class Izhikevich (Nengo 4.1), whose spikes have amplitude 1; E. Izhikevich, Simple model of spiking
neurons, IEEE Transactions on Neural Networks 14(6), 2003.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import DT, Attribute, Attributes, Height, Parameter, State, Unit, current


def reference(
    current: np.ndarray,
    n_steps: int,
    amplitude: np.ndarray,
    voltage: np.ndarray,
    recovery: np.ndarray,
    *,
    tau_recovery: float,
    coupling: float,
    reset_voltage: float,
    reset_recovery: float,
    dt: float,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """current [T*B, ...], amplitude and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    dtype = time_axis.arithmetic(current)
    voltage, recovery = time_axis.initial(voltage, currents), time_axis.initial(recovery, currents)
    height = time_axis.spike_height(amplitude, dt, dtype)
    a, b, c, d, step = (dtype.type(v) for v in (tau_recovery, coupling, reset_voltage, reset_recovery, dt))
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents.astype(dtype, copy=False)):
        j = np.maximum(x, -30)
        voltage = voltage + (0.04 * (voltage * voltage) + 5 * voltage + 140 - recovery + j) * 1000 * step
        spiked = voltage >= 30
        spikes[t] = np.where(spiked, height, 0)
        voltage = np.where(spiked, c, voltage)
        recovery = recovery + (a * (b * voltage - recovery)) * 1000 * step
        recovery = np.where(spiked, recovery + d, recovery)
    return time_axis.merge(spikes), voltage, recovery


_STEP = """
is_low = Less(j, lowest)
drive = Where(is_low, lowest, j)
square = Mul(v_voltage, v_voltage)
quadratic = Mul(n004, square)
linear = Mul(n5, v_voltage)
sum_1 = Add(quadratic, linear)
sum_2 = Add(sum_1, n140)
sum_3 = Sub(sum_2, v_recovery)
sum_4 = Add(sum_3, drive)
slope_per_s = Mul(sum_4, n1000)
change = Mul(slope_per_s, dt)
voltage_new = Add(v_voltage, change)
spiked = GreaterOrEqual(voltage_new, peak)
voltage_next = Where(spiked, reset_voltage, voltage_new)
coupled = Mul(coupling, voltage_next)
away = Sub(coupled, v_recovery)
pull = Mul(tau_recovery, away)
pull_per_s = Mul(pull, n1000)
change_of_u = Mul(pull_per_s, dt)
recovery_new = Add(v_recovery, change_of_u)
recovery_up = Add(recovery_new, reset_recovery)
recovery_next = Where(spiked, recovery_up, recovery_new)
s = Where(spiked, height, zero)
"""

_ATTRIBUTES = (
    Attribute("tau_recovery", 0.02, "rate of the recovery, per ms"),
    Attribute("coupling", 0.2, "sensitivity of the recovery to the voltage"),
    Attribute("reset_voltage", -65.0, "voltage after a spike, in mV"),
    Attribute("reset_recovery", 8.0, "increase of the recovery by a spike"),
    DT,
)

_CONSTANTS = (
    "".join(_body.attribute(a.name, "voltage") for a in _ATTRIBUTES)
    + _body.spike_height("voltage")
    + "".join(
        _body.number(name, value, "voltage")
        for name, value in {"lowest": -30, "n004": 0.04, "n5": 5, "n140": 140, "n1000": 1000, "peak": 30}.items()
    )
)


def _kernel_constants(attributes: Attributes, element: np.dtype) -> list[Constant]:
    return [*(("S", attributes[a.name]) for a in _ATTRIBUTES), ("double", attributes["dt"])]


OPERATOR = Operator(
    name="Izhikevich",
    summary="The Izhikevich neuron, as nengo.Izhikevich.",
    equation=(
        "voltage += (0.04 voltage^2 + 5 voltage + 140 - recovery + max(current, -30)) 1000 dt; where voltage >= 30: "
        "spikes = amplitude / dt, voltage = reset_voltage; recovery += tau_recovery (coupling voltage - recovery) 1000 dt, "
        "and where it spiked recovery += reset_recovery"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]"),
    output=current("spikes", "[T*B, ...], 0 or amplitude / dt"),
    parameters=(Parameter("amplitude", "a spike's area: it is amplitude / dt high"),),
    states=(
        State("voltage", "initial membrane potential in mV", rest=lambda a: a["reset_voltage"]),
        State("recovery", "initial recovery", rest=lambda a: a["coupling"] * a["reset_voltage"]),
    ),
    attributes=_ATTRIBUTES,
    reference=reference,
    body=_CONSTANTS + _body.temporal(["voltage", "recovery"], _STEP),
    kernel=only("Izhikevich", _kernel_constants),
    height=Height("amplitude", Unit.SINGLE, per_dt=True),
    code="rate",
    has_closed_form_rate=False,
    usual=(-40.0, 30.0),
    twin="nengo.Izhikevich (amplitude = 1)",
)
