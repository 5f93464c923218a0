"""PoissonSpiking: a rate as spikes with Poisson statistics, as nengo.PoissonSpiking.

    n ~ Poisson(dt |rate|)
    spikes = sign(rate) * n * amplitude / dt

n is the sum of four draws with a quarter of the mean each, by inversion of the cumulative distribution; a mean above 64 spikes
a step counts as 64. exp is made of products and sums in a fixed order, so that every device draws the same. Random numbers
are those of StochasticSpiking.

Source: nengo/neurons.py, class PoissonSpiking (Nengo 4.1), which draws from NumPy's generator instead; inversion: L. Devroye,
Non-uniform random variate generation (1986), chapter X.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_ops.ops import _body, regular_spiking, stochastic_spiking
from snn_ops.ops._kernel import only
from snn_ops.ops._operator import Operator
from snn_ops.ops._signature import DT

MOST = 64
"""Spikes of one draw: beyond 1e-17 in probability."""


def exp_of_minus(x: np.ndarray) -> np.ndarray:
    """exp(-x) for 0 <= x <= 16: (the series of exp(-x / 32) to its eighth power) to the 32nd."""
    e = x * x.dtype.type(1 / 32)
    t: np.ndarray = np.ones_like(e)
    for k in range(8, 0, -1):
        t = 1 - e * x.dtype.type(1 / k) * t
    for _ in range(5):
        t = t * t
    return t


def _draw(mean: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    p = exp_of_minus(mean)
    cumulative, n = p, np.zeros_like(mean)
    for k in range(1, MOST + 1):
        n = n + ((uniform >= cumulative) & (p > mean.dtype.type(1e-8)))
        p = p * mean / mean.dtype.type(k)
        cumulative = cumulative + p
    return n


def _counts(expected: np.ndarray, uniforms: tuple[np.ndarray, ...]) -> np.ndarray:
    mean = expected * expected.dtype.type(0.25)
    mean = np.where(mean > 16, expected.dtype.type(16), mean)
    n = sum((_draw(mean, uniform) for uniform in uniforms), np.zeros_like(mean))
    return np.where(mean >= 0, n, mean)


def reference(*inputs: Any, **attributes: Any) -> tuple[np.ndarray, np.ndarray]:
    """`stochastic_spiking.spikes_from_rate` with counts of a Poisson distribution."""
    return stochastic_spiking.spikes_from_rate(_counts, *inputs, **attributes)


def _numbers() -> str:
    values = {"quarter": 0.25, "sixteen": 16, "part": 1 / 32, "tiny": 1e-8} | {
        f"inverse_{k}": 1 / k for k in range(1, 9)
    }
    ranks = ", ".join(f"{float(k)!r}" for k in range(1, MOST + 1))
    return (
        "".join(_body.number(name, value, "amplitude") for name, value in values.items())
        + f"ranks_64 = Constant<value = double[{MOST}] {{{ranks}}}>()\nranks = CastLike(ranks_64, amplitude)\n"
    )


def _exp_of_minus_body() -> str:
    lines = ["e = Mul(mean, part)", "t_9 = Expand(one, neurons)"]
    for k in range(8, 0, -1):
        lines += [f"e_{k} = Mul(e, inverse_{k})", f"et_{k} = Mul(e_{k}, t_{k + 1})", f"t_{k} = Sub(one, et_{k})"]
    lines.append("q_0 = Identity(t_1)")
    lines += [f"q_{k + 1} = Mul(q_{k}, q_{k})" for k in range(5)]
    return "\n".join([*lines, "p_0 = Identity(q_5)"]) + "\n"


def _draw_body(k: int) -> str:
    return f"""
    p_end_{k}, c_end_{k}, n_{k} = Scan<
      num_scan_inputs = 1,
      body = draw_{k} (p, cumulative, n_before, rank) => (p_next, cumulative_next, n_next) {{
        is_above = GreaterOrEqual(uniform_{k}, cumulative)
        is_large = Greater(p, tiny)
        more = And(is_above, is_large)
        more_cast = CastLike(more, p)
        n_next = Add(n_before, more_cast)
        product = Mul(p, mean)
        p_next = Div(product, rank)
        cumulative_next = Add(cumulative, p_next)
      }}
    >(p_0, p_0, none, ranks)
    """


OPERATOR = Operator(
    name="PoissonSpiking",
    summary="A rate as spikes with Poisson statistics, as nengo.PoissonSpiking.",
    equation=(
        "n ~ Poisson(dt |rate|): n = n_0 + n_1 + n_2 + n_3, n_k ~ Poisson(m), m = min(dt |rate|, 64) / 4; "
        "p_0 = exp(-m), p_i = p_(i-1) m / i; n_k = the first i, at most 64, with u_k < p_0 + ... + p_i or p_i <= 1e-8; "
        "spikes = sign(rate) n amplitude / dt"
    ),
    input=regular_spiking.OPERATOR.input,
    output=regular_spiking.OPERATOR.output,
    parameters=regular_spiking.OPERATOR.parameters,
    attributes=(DT,),
    reference=reference,
    body=_numbers()
    + stochastic_spiking.body(
        f"""
        mean_all = Mul(expected, quarter)
        is_too_large = Greater(mean_all, sixteen)
        mean = Where(is_too_large, sixteen, mean_all)
        none = Expand(zero, neurons)
        {_exp_of_minus_body()}
        {"".join(_draw_body(k) for k in range(4))}
        n_01 = Add(n_0, n_1)
        n_012 = Add(n_01, n_2)
        n_0123 = Add(n_012, n_3)
        is_number = GreaterOrEqual(mean, zero)
        n = Where(is_number, n_0123, mean)
        """,
        uniforms=4,
    ),
    kernel=only("PoissonSpiking", regular_spiking.kernel_constants),
    counts_steps=True,
    draws=True,
    height=regular_spiking.OPERATOR.height,
    code="rate",
    usual=(-800.0, 8000.0),
    twin="nengo.PoissonSpiking",
)
