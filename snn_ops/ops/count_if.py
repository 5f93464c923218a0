"""CountIF: the neuron of the two-phase schedule, which first receives all T steps and then fires.

    n = clip(floor((current * T + voltage) / threshold), least, T * max_spikes),   least = 0, or -T * max_spikes where signed
    spikes = n * threshold / T

``current`` is the mean of the current over the T steps and ``spikes`` the mean of the n spikes sent afterwards, so a layer
costs one pass whatever T is. Without the order in which spikes come, the count is exactly that of a quantised activation; a
streaming device waits T steps for it in every layer. voltage = threshold / 2 rounds to nearest.

Source: T. Bu et al., Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural networks, ICLR 2022
(the quantisation); Z. Hao et al., Reducing ANN-SNN conversion error through residual membrane potential, AAAI 2023 (firing
after the whole input).
"""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _body, if_, time_axis
from snn_ops.ops._kernel import Kernel
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import AT_LEAST_1, FLAG, Attribute, Height, Parameter, Time, Unit, current


def reference(
    current: np.ndarray,
    n_steps: int,
    threshold: np.ndarray,
    voltage: np.ndarray,
    *,
    max_spikes: int,
    signed: int,
) -> tuple[np.ndarray]:
    """current [B, ...], threshold and voltage broadcastable to [B, ...] -> mean of the spikes [B, ...].

    Raises:
        ValueError: n_steps below 1, or a scalar current.
    """
    if n_steps < 1 or current.ndim == 0:
        raise ValueError("it needs n_steps >= 1 and a current with a first axis")
    dtype = time_axis.arithmetic(current)
    steps = dtype.type(n_steps)
    most = steps * dtype.type(max_spikes)
    n = np.floor((current.astype(dtype) * steps + voltage) / threshold)
    n = np.clip(n, -most if signed else dtype.type(0), most)
    return ((n * threshold / steps).astype(current.dtype),)


OPERATOR = Operator(
    name="CountIF",
    summary="Receives all steps, then fires: the neuron of the two-phase schedule.",
    equation=(
        "n = clip(floor((current T + voltage) / threshold), least, T max_spikes), least = 0 or, signed, -T max_spikes; "
        "spikes = n threshold / T"
    ),
    input=current("current", "[B, ...], the mean of the current over all steps"),
    output=current("spikes", "[B, ...], the mean of the spikes over all steps"),
    parameters=(
        Parameter("threshold", "also the height of a spike", above_0=True),
        Parameter("voltage", "initial membrane potential, in the unit of the threshold", default=0.0),
    ),
    attributes=(
        Attribute("max_spikes", 1, "most spikes in one step", AT_LEAST_1),
        Attribute("signed", 0, "1: negative spikes too", FLAG),
    ),
    reference=reference,
    body=f"""
    most_int = Constant<value_int: int = @max_spikes>()
    most_1 = CastLike(most_int, threshold)
    signed_int = Constant<value_int: int = @signed>()
    is_signed = Cast<to = 9>(signed_int)
    {_body.number("zero", 0, "threshold")}
    no_axes = Constant<value = int64[0] {{}}>()
    {_body.checked_steps()}
    steps_scalar = Reshape(steps, no_axes)
    count = CastLike(steps_scalar, threshold)
    most = Mul(count, most_1)
    minus_most = Neg(most)
    least = Where(is_signed, minus_most, zero)
    current_cast = CastLike(current, threshold)
    total = Mul(current_cast, count)
    charged = Add(total, voltage)
    quotient = Div(charged, threshold)
    whole = Floor(quotient)
    is_low = Less(whole, least)
    at_least = Where(is_low, least, whole)
    is_high = Greater(at_least, most)
    n = Where(is_high, most, at_least)
    height = Mul(n, threshold)
    mean = Div(height, count)
    spikes = CastLike(mean, current)
    """,
    kernel=Kernel(
        {"CountIF": "CountIF<false>", "CountIFSigned": "CountIF<true>"},
        variant=lambda attributes, element: "CountIFSigned" if attributes["signed"] else "CountIF",
        constants=if_.max_spikes,
    ),
    time=Time.AT_ONCE,
    height=Height("threshold", Unit.COUNTED),
    code="rate",
    usual=(-0.8, 1.7),
)
