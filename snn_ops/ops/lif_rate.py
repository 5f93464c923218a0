"""LIFRate: the firing rate of a LIF neuron at a current that stays, as nengo.LIFRate.

    j = current - 1
    rate = amplitude / (tau_ref + tau_rc * log1p(1 / j))   where j > 0,   else 0

Source: nengo/neurons.py, class LIFRate (Nengo 4.1).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, _time
from snn_ops.ops._inference import infer_same_shape
from snn_ops.ops._operator import ABOVE_0, NOT_NEGATIVE, Attribute, Operator, current, parameter

ATTRIBUTES = (
    Attribute("tau_rc", 0.02, "membrane time constant in seconds", ABOVE_0),
    Attribute("tau_ref", 0.002, "refractory time in seconds", NOT_NEGATIVE),
)


def reference(current: np.ndarray, amplitude: np.ndarray, *, tau_rc: float, tau_ref: float) -> tuple[np.ndarray]:
    """current [...], amplitude broadcastable to it -> rate [...]."""
    dtype = _time.arithmetic(current)
    j = current.astype(dtype) - dtype.type(1)
    rate = amplitude / (dtype.type(tau_ref) + dtype.type(tau_rc) * np.log1p(1 / j))
    return (np.where(j > 0, rate, 0).astype(current.dtype),)


OPERATOR = Operator(
    name="LIFRate",
    summary="The rate of a LIF neuron, as nengo.LIFRate.",
    equation="rate = amplitude / (tau_ref + tau_rc log1p(1 / (current - 1))) where current > 1, else 0",
    inputs=(
        current("current", "any shape; 1 just reaches the threshold"),
        parameter("amplitude", "factor of the rate; broadcasts against the current"),
    ),
    outputs=(current("rate", "the current's shape"),),
    attributes=ATTRIBUTES,
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
    twin="nengo.LIFRate",
    infer=infer_same_shape,
)
