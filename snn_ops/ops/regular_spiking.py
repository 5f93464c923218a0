"""RegularSpiking: a rate as spikes at regular intervals, as nengo.RegularSpiking.

    voltage = voltage + dt * rate
    n = floor(voltage)
    spikes = n * amplitude / dt,   voltage = voltage - n

``rate`` is in spikes per second; several spikes in a step add up.

Source: nengo/neurons.py, class RegularSpiking (Nengo 4.1); A. Voelker et al., A spike in performance, arXiv:2002.03553.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, time_axis
from snn_ops.ops._kernel import Constant, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import DT, Attributes, Height, Parameter, State, Unit, current


def reference(
    rate: np.ndarray, n_steps: int, amplitude: np.ndarray, voltage: np.ndarray, *, dt: float, constant_current: int
) -> tuple[np.ndarray, np.ndarray]:
    """rate [T*B, ...], amplitude and voltage broadcastable to [B, ...] -> spikes [T*B, ...], voltage [B, ...]."""
    rates = time_axis.split(rate, n_steps, constant_current)
    dtype = time_axis.arithmetic(rate)
    voltage = time_axis.initial(voltage, rates)
    height = time_axis.spike_height(amplitude, dt, dtype)
    spikes = np.empty(rates.shape, rate.dtype)
    for t, x in enumerate(rates.astype(dtype, copy=False)):
        voltage = voltage + dtype.type(dt) * x
        n = np.floor(voltage)
        spikes[t] = height * n
        voltage = voltage - n
    return time_axis.merge(spikes), voltage


def kernel_constants(attributes: Attributes, element: np.dtype) -> list[Constant]:
    """RateConstants of kernels/neurons.h; the seed is 0 where nothing is drawn."""
    return [("S", attributes["dt"]), ("double", attributes["dt"]), ("long long", attributes.get("seed", 0))]


OPERATOR = Operator(
    name="RegularSpiking",
    summary="A rate as spikes at regular intervals, as nengo.RegularSpiking.",
    equation="voltage += dt rate; n = floor(voltage); spikes = n amplitude / dt; voltage -= n",
    input=current("rate", "[T*B, ...] or, with constant_current, [B, ...]; spikes per second"),
    output=current("spikes", "[T*B, ...], multiples of amplitude / dt"),
    parameters=(Parameter("amplitude", "a spike's area: it is amplitude / dt high"),),
    states=(State("voltage", "initial part of the next spike, in [0, 1)"),),
    attributes=(DT,),
    reference=reference,
    body=_body.attribute("dt", "voltage")
    + _body.spike_height("voltage")
    + _body.temporal(
        ["voltage"],
        """
        change = Mul(dt, j)
        charged = Add(v_voltage, change)
        n = Floor(charged)
        s = Mul(height, n)
        voltage_next = Sub(charged, n)
        """,
        x="rate",
    ),
    kernel=only("RegularSpiking", kernel_constants),
    height=Height("amplitude", Unit.COUNTED, per_dt=True),
    code="rate",
    usual=(-200.0, 3000.0),
    twin="nengo.RegularSpiking",
)
