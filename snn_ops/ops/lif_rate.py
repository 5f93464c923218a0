"""LIFRate: the firing rate of a LIF neuron at a current that stays, as nengo.LIFRate.

    j = current - 1
    rate = amplitude / (tau_ref + tau_rc * log1p(1 / j))   where j > 0,   else 0

Source: nengo/neurons.py, class LIFRate (Nengo 4.1).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, lif, time_axis
from snn_ops.ops._kernel import as_they_stand, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import Parameter, Time, current


def reference(current: np.ndarray, amplitude: np.ndarray, *, tau_rc: float, tau_ref: float) -> tuple[np.ndarray]:
    """current [...], amplitude broadcastable to it -> rate [...]."""
    dtype = time_axis.arithmetic(current)
    j = current.astype(dtype) - dtype.type(1)
    rate = amplitude / (dtype.type(tau_ref) + dtype.type(tau_rc) * np.log1p(1 / j))
    return (np.where(j > 0, rate, 0).astype(current.dtype),)


OPERATOR = Operator(
    name="LIFRate",
    summary="The rate of a LIF neuron, as nengo.LIFRate.",
    equation="rate = amplitude / (tau_ref + tau_rc log1p(1 / (current - 1))) where current > 1, else 0",
    input=current("current", "any shape; 1 just reaches the threshold"),
    output=current("rate", "the current's shape"),
    parameters=(Parameter("amplitude", "factor of the rate"),),
    attributes=(lif.TAU_RC, lif.TAU_REF),
    reference=reference,
    body=f"""
    {_body.attribute("tau_rc", "amplitude")}
    {_body.attribute("tau_ref", "amplitude")}
    {_body.number("zero", 0, "amplitude")}
    {_body.number("one", 1, "amplitude")}
    current_cast = CastLike(current, amplitude)
    above = Sub(current_cast, one)
    is_above = Greater(above, zero)
    safe = Where(is_above, above, one)
    inverse = Div(one, safe)
    {_body.log1p("inverse", "log")}
    charging = Mul(tau_rc, log)
    period = Add(tau_ref, charging)
    rate_above = Div(amplitude, period)
    rate_all = Where(is_above, rate_above, zero)
    rate = CastLike(rate_all, current)
    """,
    kernel=only("LIFRate", as_they_stand("tau_rc", "tau_ref")),
    time=Time.NONE,
    usual=(-1.0, 6.0),
    twin="nengo.LIFRate",
)
