"""SoftLIFRate: LIFRate with a soft threshold, which has a gradient everywhere, as nengo_dl.SoftLIFRate.

    z = sigma * log(1 + exp((current - 1) / sigma))
    rate = amplitude / (tau_ref + tau_rc * log1p(1 / z))

Source: nengo_dl/neurons.py, class SoftLIFRate (NengoDL 3.6); E. Hunsberger and C. Eliasmith, Spiking deep networks with LIF
neurons, arXiv:1510.08829.
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, lif_rate, time_axis
from snn_ops.ops._kernel import as_they_stand, only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import ABOVE_0, Attribute, Time


def reference(
    current: np.ndarray, amplitude: np.ndarray, *, tau_rc: float, tau_ref: float, sigma: float
) -> tuple[np.ndarray]:
    """current [...], amplitude broadcastable to it -> rate [...]."""
    dtype = time_axis.arithmetic(current)
    rc, ref, width = (dtype.type(value) for value in (tau_rc, tau_ref, sigma))
    js = (current.astype(dtype) - dtype.type(1)) / width
    z = width * np.where(js > 34, js, np.log1p(np.exp(np.minimum(js, 34))))
    # far below the threshold z underflows, and log1p(1 / z) is -log z = -js - log sigma
    q = np.where(js > -20, np.log1p(1 / z), -js - np.log(width))
    return ((amplitude / (ref + rc * q)).astype(current.dtype),)


OPERATOR = Operator(
    name="SoftLIFRate",
    summary="The rate of a LIF neuron with a soft threshold, as nengo_dl.SoftLIFRate.",
    equation="z = sigma log(1 + exp((current - 1) / sigma)); rate = amplitude / (tau_ref + tau_rc log1p(1 / z))",
    input=lif_rate.OPERATOR.input,
    output=lif_rate.OPERATOR.output,
    parameters=lif_rate.OPERATOR.parameters,
    attributes=(
        *lif_rate.OPERATOR.attributes,
        Attribute("sigma", 1.0, "width of the soft threshold, in units of current", ABOVE_0),
    ),
    reference=reference,
    body=f"""
    {_body.attribute("tau_rc", "amplitude")}
    {_body.attribute("tau_ref", "amplitude")}
    {_body.attribute("sigma", "amplitude")}
    {_body.number("one", 1, "amplitude")}
    {_body.number("high", 34, "amplitude")}
    {_body.number("low", -20, "amplitude")}
    current_cast = CastLike(current, amplitude)
    above = Sub(current_cast, one)
    js = Div(above, sigma)
    is_high = Greater(js, high)
    bounded = Where(is_high, high, js)
    power = Exp(bounded)
    {_body.log1p("power", "soft")}
    softplus = Where(is_high, js, soft)
    z = Mul(sigma, softplus)
    inverse = Div(one, z)
    {_body.log1p("inverse", "log")}
    log_sigma = Log(sigma)
    minus_js = Neg(js)
    far = Sub(minus_js, log_sigma)
    is_near = Greater(js, low)
    q = Where(is_near, log, far)
    charging = Mul(tau_rc, q)
    period = Add(tau_ref, charging)
    rate_all = Div(amplitude, period)
    rate = CastLike(rate_all, current)
    """,
    kernel=only("SoftLIFRate", as_they_stand("tau_rc", "tau_ref", "sigma")),
    time=Time.NONE,
    usual=(-30.0, 40.0),
    twin="nengo_dl.SoftLIFRate",
)
