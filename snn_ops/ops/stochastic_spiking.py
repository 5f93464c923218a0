"""StochasticSpiking: a rate as spikes by stochastic rounding, as nengo.StochasticSpiking.

    n = floor(dt |rate|),  plus 1 with probability dt |rate| - n
    spikes = sign(rate) * n * amplitude / dt

Random numbers are counter-based (Philox 4x32-10 of seed, neuron and step): the same on any number of threads, in chunks of time
(``step`` goes on), in batches (``first_sample`` goes on), on a CPU or a GPU.

Source: nengo/neurons.py, class StochasticSpiking (Nengo 4.1), which draws from NumPy's generator instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_ops.ops import _body, _random, regular_spiking, time_axis
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import DT

Counts = Callable[[np.ndarray, tuple[np.ndarray, ...]], np.ndarray]


def spikes_from_rate(
    counts: Counts,
    rate: np.ndarray,
    n_steps: int,
    amplitude: np.ndarray,
    step: int,
    first_sample: int,
    *,
    dt: float,
    seed: int,
    constant_current: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The reference of a random neuron: rate [T*B, ...], amplitude broadcastable to [B, ...] -> spikes [T*B, ...], step.

    ``counts`` gives the number of spikes for the expected number and four uniforms.
    """
    rates = time_axis.split(rate, n_steps, constant_current)
    dtype = time_axis.arithmetic(rate)
    height = time_axis.spike_height(amplitude, dt, dtype)
    neuron = _random.neuron_index(rates, first_sample)
    spikes = np.empty(rates.shape, rate.dtype)
    for t, x in enumerate(rates.astype(dtype, copy=False)):
        n = counts(dtype.type(dt) * np.abs(x), _random.uniforms(seed, neuron, step + t, dtype))
        spikes[t] = height * n * np.where(x < 0, dtype.type(-1), dtype.type(1))
    return time_axis.merge(spikes), np.asarray(step + len(rates), np.int64)


def _round_stochastically(expected: np.ndarray, uniforms: tuple[np.ndarray, ...]) -> np.ndarray:
    whole = np.floor(expected)
    rounded: np.ndarray = whole + (uniforms[0] < expected - whole)
    return rounded


def reference(*inputs: Any, **attributes: Any) -> tuple[np.ndarray, np.ndarray]:
    """`spikes_from_rate` by stochastic rounding."""
    return spikes_from_rate(_round_stochastically, *inputs, **attributes)


def body(counts: str, uniforms: int) -> str:
    """The function body of a random neuron; ``counts`` makes ``n`` of ``expected`` and ``uniform_0`` ..."""
    return (
        _body.attribute("dt", "amplitude")
        + _body.spike_height("amplitude")
        + _random.constants_body("amplitude")
        + _body.temporal(
            [],
            f"""
            {_random.uniforms_body(uniforms, "amplitude")}
            size = Abs(j)
            expected = Mul(dt, size)
            {counts}
            height_n = Mul(height, n)
            is_negative = Less(j, zero)
            minus_one = Neg(one)
            sign = Where(is_negative, minus_one, one)
            s = Mul(height_n, sign)
            """,
            x="rate",
            like="amplitude",
            counts_steps=True,
            counts_samples=True,
        )
    )


OPERATOR = Operator(
    name="StochasticSpiking",
    summary="A rate as spikes by stochastic rounding, as nengo.StochasticSpiking.",
    equation=(
        "n = floor(dt |rate|), plus 1 with probability dt |rate| - n: where u_0 < dt |rate| - floor(dt |rate|); "
        "spikes = sign(rate) n amplitude / dt"
    ),
    input=regular_spiking.OPERATOR.input,
    output=regular_spiking.OPERATOR.output,
    parameters=regular_spiking.OPERATOR.parameters,
    attributes=(DT,),
    reference=reference,
    body=body(
        """
        whole = Floor(expected)
        fraction = Sub(expected, whole)
        rounds_up = Less(uniform_0, fraction)
        up = CastLike(rounds_up, whole)
        n = Add(whole, up)
        """,
        uniforms=1,
    ),
    kernel=only("StochasticSpiking", regular_spiking.kernel_constants),
    counts_steps=True,
    draws=True,
    height=regular_spiking.OPERATOR.height,
    code="rate",
    usual=(-800.0, 3000.0),
    twin="nengo.StochasticSpiking",
)
