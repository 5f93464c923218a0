"""LIF: leaky integrate and fire, as nengo.LIF.

Between spikes  tau_rc dV/dt = -V + J,  solved exactly over the part of the step that is not refractory:

    refractory_time = refractory_time - dt
    delta = clip(dt - refractory_time, 0, dt)
    voltage = voltage - (current - voltage) * expm1(-delta / tau_rc)
    where voltage > 1:
        spikes = amplitude / dt,   voltage = 0
        refractory_time = tau_ref + dt + tau_rc * log1p(-(voltage - 1) / (current - 1))
    elsewhere:
        spikes = 0,   voltage = max(voltage, min_voltage)

Times are in seconds; a current of 1 just reaches the threshold. The rate at constant current J > 1 is
amplitude / (tau_ref + tau_rc * log1p(1 / (J - 1))).

Source: nengo/neurons.py, class LIF (Nengo 4.1); equation 1 of Park and Heo, Conversion tools of spiking deep neural network
based on ONNX.
"""

from __future__ import annotations

import math

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import (
    ABOVE_0,
    DT,
    NOT_ABOVE_0,
    NOT_NEGATIVE,
    SMALLEST,
    Attribute,
    Attributes,
    Height,
    Parameter,
    State,
    Unit,
    current,
)

TAU_RC = Attribute("tau_rc", 0.02, "membrane time constant in seconds", ABOVE_0)
TAU_REF = Attribute("tau_ref", 0.002, "refractory time in seconds", NOT_NEGATIVE)


def reference(
    current: np.ndarray,
    n_steps: int,
    amplitude: np.ndarray,
    voltage: np.ndarray,
    refractory_time: np.ndarray,
    *,
    tau_rc: float,
    tau_ref: float,
    min_voltage: float,
    dt: float,
    smallest: float,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """current [T*B, ...], amplitude and states broadcastable to [B, ...] -> spikes [T*B, ...], states [B, ...]."""
    currents = time_axis.split(current, n_steps, constant_current)
    dtype = time_axis.arithmetic(current)
    voltage, refractory_time = time_axis.initial(voltage, currents), time_axis.initial(refractory_time, currents)
    height = time_axis.spike_height(amplitude, dt, dtype)
    rc, ref, low, step = (dtype.type(value) for value in (tau_rc, tau_ref, min_voltage, dt))
    spikes = np.empty(currents.shape, current.dtype)
    for t, x in enumerate(currents.astype(dtype, copy=False)):
        refractory_time = refractory_time - step
        delta = np.clip(step - refractory_time, 0, step)
        voltage = voltage - (x - voltage) * np.expm1(-delta / rc)
        spiked = voltage > 1
        t_spike = step + rc * np.log1p(-(voltage - 1) / (x - 1))
        spikes[t] = np.where(spiked, height, 0)
        voltage = np.where(spiked, dtype.type(0), np.where(voltage < low, low, voltage))
        voltage = time_axis.without_smallest(voltage, smallest)
        refractory_time = np.where(spiked, ref + t_spike, refractory_time)
    return time_axis.merge(spikes), voltage, refractory_time


def step(current: str) -> str:
    """One time step of the function body, driven by the value ``current``."""
    return f"""
    refractory = Sub(v_refractory_time, dt)
    remaining = Sub(dt, refractory)
    is_refractory = Less(remaining, zero)
    at_least_0 = Where(is_refractory, zero, remaining)
    is_whole = Greater(at_least_0, dt)
    delta = Where(is_whole, dt, at_least_0)
    exponent = Div(delta, minus_tau_rc)
    {_body.expm1("exponent", "decay")}
    difference = Sub({current}, v_voltage)
    change = Mul(difference, decay)
    voltage_new = Sub(v_voltage, change)
    spiked = Greater(voltage_new, one)
    over = Sub(one, voltage_new)
    drive = Sub({current}, one)
    fraction = Div(over, drive)
    fraction_of_spiked = Where(spiked, fraction, zero)
    {_body.log1p("fraction_of_spiked", "log")}
    since_spike = Mul(tau_rc, log)
    t_spike = Add(dt, since_spike)
    refractory_after = Add(tau_ref, t_spike)
    is_low = Less(voltage_new, min_voltage)
    voltage_kept = Where(is_low, min_voltage, voltage_new)
    voltage_after = Where(spiked, zero, voltage_kept)
    {_body.without_smallest("voltage_after", "voltage_next")}
    refractory_time_next = Where(spiked, refractory_after, refractory)
    s = Where(spiked, height, zero)
    """


CONSTANTS = (
    "".join(_body.attribute(name, "voltage") for name in ("tau_rc", "tau_ref", "min_voltage", "dt", "smallest"))
    + _body.spike_height("voltage")
    + "minus_tau_rc = Neg(tau_rc)\n"
)

SMALL_STEP, SQUARE, CUBE = 0.125, 0.16652728, 0.03972288  # kernels/neurons.h, LIFSmallStep


def variant(attributes: Attributes, element: np.dtype) -> str:
    """LIFSmallStep, which needs no exp and no log, where it is exact enough; kernels/operators/lif.h chooses the same."""
    is_small = element == np.float32 and attributes["dt"] / attributes["tau_rc"] <= SMALL_STEP
    return "LIFSmallStep" if is_small else "LIF"


def kernel_constants(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """LIFConstants of kernels/neurons.h; the adaptation's are 0 where there is none."""
    a = attributes
    adaptation = (a["dt"] / a["tau_n"], a["inc_n"]) if "tau_n" in a else (0, 0)
    return [
        *(("S", a[name]) for name in ("tau_rc", "tau_ref", "min_voltage", "dt")),
        ("S", 1 / a["tau_rc"]),
        ("S", _slope(a, element)),
        ("S", a["tau_ref"] + a["dt"]),
        ("double", a["dt"]),
        *(("S", number) for number in adaptation),
        ("S", a["smallest"]),
    ]


def _slope(attributes: Attributes, element: np.dtype) -> float:
    """kernels/operators/lif.h, slope."""
    numbers = attributes["dt"], attributes["tau_rc"], 1 / attributes["tau_rc"]
    dt, tau_rc, rate = (element.type(number) for number in numbers)
    y, decay = float(-dt * rate), float(element.type(math.expm1(-dt / tau_rc)))
    return (decay - y) / (y * y) - y * (SQUARE + y * CUBE)


OPERATOR = Operator(
    name="LIF",
    summary="Leaky integrate and fire, as nengo.LIF.",
    equation=(
        "refractory_time -= dt; delta = clip(dt - refractory_time, 0, dt); "
        "voltage -= (current - voltage) expm1(-delta / tau_rc); where voltage > 1: spikes = amplitude / dt, "
        "refractory_time = tau_ref + dt + tau_rc log1p(-(voltage - 1) / (current - 1)), voltage = 0; "
        "else voltage = max(voltage, min_voltage); where |voltage| < smallest: voltage = 0"
    ),
    input=current("current", "[T*B, ...] or, with constant_current, [B, ...]; 1 just reaches the threshold"),
    output=current("spikes", "[T*B, ...], 0 or amplitude / dt"),
    parameters=(Parameter("amplitude", "a spike's area: it is amplitude / dt high"),),
    states=(
        State("voltage", "initial membrane potential; the threshold is 1"),
        State("refractory_time", "initial remaining refractory time in seconds", after="as nengo.LIF keeps it"),
    ),
    attributes=(
        TAU_RC,
        TAU_REF,
        Attribute("min_voltage", 0.0, "lowest membrane potential", NOT_ABOVE_0),
        DT,
        SMALLEST,
    ),
    reference=reference,
    body=CONSTANTS + _body.temporal(["voltage", "refractory_time"], step("j")),
    kernel=Kernel({"LIF": "LIF", "LIFSmallStep": "LIFSmallStep"}, variant, kernel_constants),
    height=Height("amplitude", Unit.SINGLE, per_dt=True),
    code="rate",
    usual=(-1.0, 6.0),
    twin="nengo.LIF",
)
