"""RegularSpiking: a rate as spikes at regular intervals, as nengo.RegularSpiking.

    voltage = voltage + dt * rate
    n = floor(voltage)
    spikes = n * amplitude / dt,   voltage = voltage - n

``rate`` is in spikes per second; several spikes in a step add up.

Source: nengo/neurons.py, class RegularSpiking (Nengo 4.1); A. Voelker et al., A spike in performance, arXiv:2002.03553.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, _time
from snn_ops.ops._operator import CONSTANT_CURRENT, DT, N_STEPS, Operator, current, parameter, state


def reference(
    rate: np.ndarray, n_steps: int, amplitude: np.ndarray, voltage: np.ndarray, *, dt: float, constant_current: int
) -> tuple[np.ndarray, np.ndarray]:
    """rate [T*B, ...], amplitude and voltage broadcastable to [B, ...] -> spikes [T*B, ...], voltage [B, ...]."""
    rates = _time.split(rate, n_steps, constant_current)
    dtype = _time.arithmetic(rate)
    voltage = _time.initial(voltage, rates)
    height = _time.spike_height(amplitude, dt, dtype)
    spikes = np.empty(rates.shape, rate.dtype)
    for t, x in enumerate(rates.astype(dtype, copy=False)):
        voltage = voltage + dtype.type(dt) * x
        n = np.floor(voltage)
        spikes[t] = height * n
        voltage = voltage - n
    return _time.merge(spikes), voltage


OPERATOR = Operator(
    name="RegularSpiking",
    summary="A rate as spikes at regular intervals, as nengo.RegularSpiking.",
    equation="voltage += dt rate; n = floor(voltage); spikes = n amplitude / dt; voltage -= n",
    inputs=(
        current("rate", "[T*B, ...] or, with constant_current, [B, ...]; spikes per second"),
        N_STEPS,
        parameter("amplitude", "a spike's area: it is amplitude / dt high; broadcasts against [B, ...]"),
        state("voltage", "initial part of the next spike, in [0, 1); broadcasts against [B, ...]"),
    ),
    outputs=(
        current("spikes", "[T*B, ...], multiples of amplitude / dt"),
        state("voltage_out", "[B, ...], after the last step"),
    ),
    attributes=(DT, CONSTANT_CURRENT),
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
    twin="nengo.RegularSpiking",
)
