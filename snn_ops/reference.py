"""The functions of `snn_ops.functions`, computed by the NumPy references of the operators.

Written by tools/functions.py from snn_ops/ops (`make docs`): change it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from snn_ops.functions import (
    AdaptiveLIFResult,
    AlphaResult,
    BoundedIFResult,
    IFResult,
    IzhikevichResult,
    LeakyMeanResult,
    LIFResult,
    LowpassResult,
    MultiThresholdResult,
    PoissonSpikingResult,
    RegularSpikingResult,
    RunningDifferenceResult,
    RunningMeanResult,
    SigmaDeltaResult,
    StochasticSpikingResult,
    TimeMeanResult,
)

__all__ = [
    "if_",
    "bounded_if",
    "count_if",
    "few_spike",
    "few_spike_mean",
    "lif",
    "adaptive_lif",
    "izhikevich",
    "lif_rate",
    "soft_lif_rate",
    "regular_spiking",
    "stochastic_spiking",
    "poisson_spiking",
    "sigma_delta",
    "multi_threshold",
    "multi_threshold_sum",
    "lowpass",
    "alpha",
    "running_mean",
    "leaky_mean",
    "running_difference",
    "time_repeat",
    "time_mean",
    "time_last",
]


def _run(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, float]) -> tuple[Any, ...]:
    """Imports onnx, with which the operators are declared, when the first function is called."""
    try:
        from snn_ops import single  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{op_type} needs {error.name}: pip install {error.name}", name=error.name) from error
    return single.reference(op_type, inputs, attributes)


def if_(
    current: ArrayLike,
    n_steps: int,
    threshold: ArrayLike = 1.0,
    voltage: ArrayLike = 0.0,
    net_count: ArrayLike = 0.0,
    step: int = 0,
    voltage_base: ArrayLike = 0.0,
    net_count_base: ArrayLike = 0.0,
    *,
    max_spikes: int = 1,
    signed: bool = False,
    constant_current: bool = False,
) -> IFResult:
    """`snn_ops.functions.if_` in NumPy."""
    outputs = _run(
        "IF",
        (current, n_steps, threshold, voltage, net_count, step, voltage_base, net_count_base),
        {
            "max_spikes": max_spikes,
            "signed": signed,
            "constant_current": constant_current,
        },
    )
    return IFResult(*outputs)


def bounded_if(
    current: ArrayLike,
    n_steps: int,
    threshold: ArrayLike = 1.0,
    voltage: ArrayLike = 0.0,
    *,
    max_spikes: int = 1,
    signed: bool = False,
    memory: float = 1.0,
    constant_current: bool = False,
) -> BoundedIFResult:
    """`snn_ops.functions.bounded_if` in NumPy."""
    outputs = _run(
        "BoundedIF",
        (current, n_steps, threshold, voltage),
        {
            "max_spikes": max_spikes,
            "signed": signed,
            "memory": memory,
            "constant_current": constant_current,
        },
    )
    return BoundedIFResult(*outputs)


def count_if(
    current: ArrayLike,
    n_steps: int,
    threshold: ArrayLike = 1.0,
    voltage: ArrayLike = 0.0,
    *,
    max_spikes: int = 1,
    signed: bool = False,
) -> np.ndarray:
    """`snn_ops.functions.count_if` in NumPy."""
    spikes: np.ndarray
    (spikes,) = _run(
        "CountIF",
        (current, n_steps, threshold, voltage),
        {
            "max_spikes": max_spikes,
            "signed": signed,
        },
    )
    return spikes


def few_spike(
    current: ArrayLike,
    n_steps: int,
    scale: ArrayLike = 1.0,
    *,
    constant_current: bool = False,
) -> np.ndarray:
    """`snn_ops.functions.few_spike` in NumPy."""
    spikes: np.ndarray
    (spikes,) = _run(
        "FewSpike",
        (current, n_steps, scale),
        {
            "constant_current": constant_current,
        },
    )
    return spikes


def few_spike_mean(
    current: ArrayLike,
    n_steps: int,
    scale: ArrayLike = 1.0,
) -> np.ndarray:
    """`snn_ops.functions.few_spike_mean` in NumPy."""
    spikes: np.ndarray
    (spikes,) = _run(
        "FewSpikeMean",
        (current, n_steps, scale),
        {},
    )
    return spikes


def lif(
    current: ArrayLike,
    n_steps: int,
    amplitude: ArrayLike = 1.0,
    voltage: ArrayLike = 0.0,
    refractory_time: ArrayLike = 0.0,
    *,
    tau_rc: float = 0.02,
    tau_ref: float = 0.002,
    min_voltage: float = 0.0,
    dt: float = 0.001,
    smallest: float = 0.0,
    constant_current: bool = False,
) -> LIFResult:
    """`snn_ops.functions.lif` in NumPy."""
    outputs = _run(
        "LIF",
        (current, n_steps, amplitude, voltage, refractory_time),
        {
            "tau_rc": tau_rc,
            "tau_ref": tau_ref,
            "min_voltage": min_voltage,
            "dt": dt,
            "smallest": smallest,
            "constant_current": constant_current,
        },
    )
    return LIFResult(*outputs)


def adaptive_lif(
    current: ArrayLike,
    n_steps: int,
    amplitude: ArrayLike = 1.0,
    voltage: ArrayLike = 0.0,
    refractory_time: ArrayLike = 0.0,
    adaptation: ArrayLike = 0.0,
    *,
    tau_rc: float = 0.02,
    tau_ref: float = 0.002,
    min_voltage: float = 0.0,
    dt: float = 0.001,
    smallest: float = 0.0,
    constant_current: bool = False,
    tau_n: float = 1.0,
    inc_n: float = 0.01,
) -> AdaptiveLIFResult:
    """`snn_ops.functions.adaptive_lif` in NumPy."""
    outputs = _run(
        "AdaptiveLIF",
        (current, n_steps, amplitude, voltage, refractory_time, adaptation),
        {
            "tau_rc": tau_rc,
            "tau_ref": tau_ref,
            "min_voltage": min_voltage,
            "dt": dt,
            "smallest": smallest,
            "constant_current": constant_current,
            "tau_n": tau_n,
            "inc_n": inc_n,
        },
    )
    return AdaptiveLIFResult(*outputs)


def izhikevich(
    current: ArrayLike,
    n_steps: int,
    amplitude: ArrayLike = 1.0,
    voltage: ArrayLike | None = None,
    recovery: ArrayLike | None = None,
    *,
    tau_recovery: float = 0.02,
    coupling: float = 0.2,
    reset_voltage: float = -65.0,
    reset_recovery: float = 8.0,
    dt: float = 0.001,
    constant_current: bool = False,
) -> IzhikevichResult:
    """`snn_ops.functions.izhikevich` in NumPy."""
    outputs = _run(
        "Izhikevich",
        (current, n_steps, amplitude, voltage, recovery),
        {
            "tau_recovery": tau_recovery,
            "coupling": coupling,
            "reset_voltage": reset_voltage,
            "reset_recovery": reset_recovery,
            "dt": dt,
            "constant_current": constant_current,
        },
    )
    return IzhikevichResult(*outputs)


def lif_rate(
    current: ArrayLike,
    amplitude: ArrayLike = 1.0,
    *,
    tau_rc: float = 0.02,
    tau_ref: float = 0.002,
) -> np.ndarray:
    """`snn_ops.functions.lif_rate` in NumPy."""
    rate: np.ndarray
    (rate,) = _run(
        "LIFRate",
        (current, amplitude),
        {
            "tau_rc": tau_rc,
            "tau_ref": tau_ref,
        },
    )
    return rate


def soft_lif_rate(
    current: ArrayLike,
    amplitude: ArrayLike = 1.0,
    *,
    tau_rc: float = 0.02,
    tau_ref: float = 0.002,
    sigma: float = 1.0,
) -> np.ndarray:
    """`snn_ops.functions.soft_lif_rate` in NumPy."""
    rate: np.ndarray
    (rate,) = _run(
        "SoftLIFRate",
        (current, amplitude),
        {
            "tau_rc": tau_rc,
            "tau_ref": tau_ref,
            "sigma": sigma,
        },
    )
    return rate


def regular_spiking(
    rate: ArrayLike,
    n_steps: int,
    amplitude: ArrayLike = 1.0,
    voltage: ArrayLike = 0.0,
    *,
    dt: float = 0.001,
    constant_current: bool = False,
) -> RegularSpikingResult:
    """`snn_ops.functions.regular_spiking` in NumPy."""
    outputs = _run(
        "RegularSpiking",
        (rate, n_steps, amplitude, voltage),
        {
            "dt": dt,
            "constant_current": constant_current,
        },
    )
    return RegularSpikingResult(*outputs)


def stochastic_spiking(
    rate: ArrayLike,
    n_steps: int,
    amplitude: ArrayLike = 1.0,
    step: int = 0,
    first_sample: int = 0,
    *,
    dt: float = 0.001,
    seed: int = 0,
    constant_current: bool = False,
) -> StochasticSpikingResult:
    """`snn_ops.functions.stochastic_spiking` in NumPy."""
    outputs = _run(
        "StochasticSpiking",
        (rate, n_steps, amplitude, step, first_sample),
        {
            "dt": dt,
            "seed": seed,
            "constant_current": constant_current,
        },
    )
    return StochasticSpikingResult(*outputs)


def poisson_spiking(
    rate: ArrayLike,
    n_steps: int,
    amplitude: ArrayLike = 1.0,
    step: int = 0,
    first_sample: int = 0,
    *,
    dt: float = 0.001,
    seed: int = 0,
    constant_current: bool = False,
) -> PoissonSpikingResult:
    """`snn_ops.functions.poisson_spiking` in NumPy."""
    outputs = _run(
        "PoissonSpiking",
        (rate, n_steps, amplitude, step, first_sample),
        {
            "dt": dt,
            "seed": seed,
            "constant_current": constant_current,
        },
    )
    return PoissonSpikingResult(*outputs)


def sigma_delta(
    target: ArrayLike,
    n_steps: int,
    threshold: ArrayLike = 1.0,
    net_count: ArrayLike = 0.0,
    step: int = 0,
    net_count_base: ArrayLike = 0.0,
    *,
    max_spikes: int = 1,
    constant_current: bool = False,
) -> SigmaDeltaResult:
    """`snn_ops.functions.sigma_delta` in NumPy."""
    outputs = _run(
        "SigmaDelta",
        (target, n_steps, threshold, net_count, step, net_count_base),
        {
            "max_spikes": max_spikes,
            "constant_current": constant_current,
        },
    )
    return SigmaDeltaResult(*outputs)


def multi_threshold(
    target: ArrayLike,
    n_steps: int,
    threshold: ArrayLike = 1.0,
    resting_value: ArrayLike = 0.0,
    finest_exponent: ArrayLike = 6.0,
    sent: ArrayLike = 0.0,
    step: int = 0,
    *,
    max_spikes: int = 1,
    refinements: int = 0,
    constant_current: bool = False,
) -> MultiThresholdResult:
    """`snn_ops.functions.multi_threshold` in NumPy."""
    outputs = _run(
        "MultiThreshold",
        (target, n_steps, threshold, resting_value, finest_exponent, sent, step),
        {
            "max_spikes": max_spikes,
            "refinements": refinements,
            "constant_current": constant_current,
        },
    )
    return MultiThresholdResult(*outputs)


def multi_threshold_sum(
    target: ArrayLike,
    n_steps: int,
    threshold: ArrayLike = 1.0,
    resting_value: ArrayLike = 0.0,
    finest_exponent: ArrayLike = 6.0,
) -> np.ndarray:
    """`snn_ops.functions.multi_threshold_sum` in NumPy."""
    total: np.ndarray
    (total,) = _run(
        "MultiThresholdSum",
        (target, n_steps, threshold, resting_value, finest_exponent),
        {},
    )
    return total


def lowpass(
    x: ArrayLike,
    n_steps: int,
    filtered: ArrayLike = 0.0,
    *,
    tau: float = 0.005,
    dt: float = 0.001,
    smallest: float = 0.0,
    constant_current: bool = False,
) -> LowpassResult:
    """`snn_ops.functions.lowpass` in NumPy."""
    outputs = _run(
        "Lowpass",
        (x, n_steps, filtered),
        {
            "tau": tau,
            "dt": dt,
            "smallest": smallest,
            "constant_current": constant_current,
        },
    )
    return LowpassResult(*outputs)


def alpha(
    x: ArrayLike,
    n_steps: int,
    first: ArrayLike = 0.0,
    filtered: ArrayLike = 0.0,
    *,
    tau: float = 0.005,
    dt: float = 0.001,
    smallest: float = 0.0,
    constant_current: bool = False,
) -> AlphaResult:
    """`snn_ops.functions.alpha` in NumPy."""
    outputs = _run(
        "Alpha",
        (x, n_steps, first, filtered),
        {
            "tau": tau,
            "dt": dt,
            "smallest": smallest,
            "constant_current": constant_current,
        },
    )
    return AlphaResult(*outputs)


def running_mean(
    x: ArrayLike,
    n_steps: int,
    sum: ArrayLike = 0.0,
    step: int = 0,
    sum_base: ArrayLike = 0.0,
    *,
    constant_current: bool = False,
) -> RunningMeanResult:
    """`snn_ops.functions.running_mean` in NumPy."""
    outputs = _run(
        "RunningMean",
        (x, n_steps, sum, step, sum_base),
        {
            "constant_current": constant_current,
        },
    )
    return RunningMeanResult(*outputs)


def leaky_mean(
    x: ArrayLike,
    n_steps: int,
    mean: ArrayLike = 0.0,
    step: int = 0,
    *,
    steps: int = 8,
    smallest: float = 0.0,
    constant_current: bool = False,
) -> LeakyMeanResult:
    """`snn_ops.functions.leaky_mean` in NumPy."""
    outputs = _run(
        "LeakyMean",
        (x, n_steps, mean, step),
        {
            "steps": steps,
            "smallest": smallest,
            "constant_current": constant_current,
        },
    )
    return LeakyMeanResult(*outputs)


def running_difference(
    x: ArrayLike,
    n_steps: int,
    total: ArrayLike = 0.0,
    step: int = 0,
    *,
    constant_current: bool = False,
) -> RunningDifferenceResult:
    """`snn_ops.functions.running_difference` in NumPy."""
    outputs = _run(
        "RunningDifference",
        (x, n_steps, total, step),
        {
            "constant_current": constant_current,
        },
    )
    return RunningDifferenceResult(*outputs)


def time_repeat(
    x: ArrayLike,
    n_steps: int,
) -> np.ndarray:
    """`snn_ops.functions.time_repeat` in NumPy."""
    y: np.ndarray
    (y,) = _run(
        "TimeRepeat",
        (x, n_steps),
        {},
    )
    return y


def time_mean(
    x: ArrayLike,
    n_steps: int,
    sum: ArrayLike = 0.0,
    step: int = 0,
    sum_base: ArrayLike = 0.0,
) -> TimeMeanResult:
    """`snn_ops.functions.time_mean` in NumPy."""
    outputs = _run(
        "TimeMean",
        (x, n_steps, sum, step, sum_base),
        {},
    )
    return TimeMeanResult(*outputs)


def time_last(
    x: ArrayLike,
    n_steps: int,
) -> np.ndarray:
    """`snn_ops.functions.time_last` in NumPy."""
    y: np.ndarray
    (y,) = _run(
        "TimeLast",
        (x, n_steps),
        {},
    )
    return y
