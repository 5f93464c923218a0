"""A function per operator: its native kernel on NumPy arrays, without a model.

Written by tools/functions.py from snn_ops/ops (`make docs`): change it there.

Signals are time-major: ``[T*B, ...]`` holds step 0 of all B samples, then step 1, and so on; T is ``n_steps``. Signals are
float16, float32 or float64 and are computed in that type (float16 in float32); other numbers count as float64. Parameters and
states broadcast against ``[B, ...]`` as in NumPy, and are at rest unless they are given.

A function returns the output alone where there is nothing else, or else a named tuple: the output first, then the states after
the last step, by the names of the arguments. So a long run goes in chunks of time::

    done = snn_ops.lif(current[:100], n_steps=100)
    done = snn_ops.lif(current[100:], n_steps=100, voltage=done.voltage, refractory_time=done.refractory_time)

All raise ValueError for a number of steps, a shape or an attribute that the operator does not take, TypeError for what is no
number, and ModuleNotFoundError where the package onnx is missing, which the first call imports. `snn_ops.reference` has the
same functions in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

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


class IFResult(NamedTuple):
    """What `if_` returns."""

    spikes: np.ndarray
    voltage: np.ndarray
    net_count: np.ndarray
    step: int
    voltage_base: np.ndarray
    net_count_base: np.ndarray


class BoundedIFResult(NamedTuple):
    """What `bounded_if` returns."""

    spikes: np.ndarray
    voltage: np.ndarray


class LIFResult(NamedTuple):
    """What `lif` returns."""

    spikes: np.ndarray
    voltage: np.ndarray
    refractory_time: np.ndarray


class AdaptiveLIFResult(NamedTuple):
    """What `adaptive_lif` returns."""

    spikes: np.ndarray
    voltage: np.ndarray
    refractory_time: np.ndarray
    adaptation: np.ndarray


class IzhikevichResult(NamedTuple):
    """What `izhikevich` returns."""

    spikes: np.ndarray
    voltage: np.ndarray
    recovery: np.ndarray


class RegularSpikingResult(NamedTuple):
    """What `regular_spiking` returns."""

    spikes: np.ndarray
    voltage: np.ndarray


class StochasticSpikingResult(NamedTuple):
    """What `stochastic_spiking` returns."""

    spikes: np.ndarray
    step: int


class PoissonSpikingResult(NamedTuple):
    """What `poisson_spiking` returns."""

    spikes: np.ndarray
    step: int


class SigmaDeltaResult(NamedTuple):
    """What `sigma_delta` returns."""

    spikes: np.ndarray
    net_count: np.ndarray
    step: int
    net_count_base: np.ndarray


class MultiThresholdResult(NamedTuple):
    """What `multi_threshold` returns."""

    total: np.ndarray
    sent: np.ndarray
    step: int


class LowpassResult(NamedTuple):
    """What `lowpass` returns."""

    y: np.ndarray
    filtered: np.ndarray


class AlphaResult(NamedTuple):
    """What `alpha` returns."""

    y: np.ndarray
    first: np.ndarray
    filtered: np.ndarray


class RunningMeanResult(NamedTuple):
    """What `running_mean` returns."""

    y: np.ndarray
    sum: np.ndarray
    step: int
    sum_base: np.ndarray


class LeakyMeanResult(NamedTuple):
    """What `leaky_mean` returns."""

    y: np.ndarray
    mean: np.ndarray
    step: int


class RunningDifferenceResult(NamedTuple):
    """What `running_difference` returns."""

    y: np.ndarray
    total: np.ndarray
    step: int


class TimeMeanResult(NamedTuple):
    """What `time_mean` returns."""

    y: np.ndarray
    sum: np.ndarray
    step: int
    sum_base: np.ndarray


def _run(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, float]) -> tuple[Any, ...]:
    """Imports onnx, with which the operators are declared, when the first function is called."""
    try:
        from snn_ops import single  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{op_type} needs {error.name}: pip install {error.name}", name=error.name) from error
    return single.native(op_type, inputs, attributes)


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
    """Integrate and fire with soft reset.

        u = voltage + current
        n = clip(floor((voltage_base + u) / threshold), least, max_spikes), least = 0 or, signed, -min(net_count_base +
            net_count, max_spikes)
        spikes = n threshold
        voltage = u - spikes
        net_count += n
        step += 1
        where step is a multiple of 64: a finite voltage moves into voltage_base if |voltage| >= 8 threshold, a finite
            net_count into net_count_base if |net_count| >= 4096, what the base loses by rounding stays behind, and what
            is not finite becomes 0

    Args:
        current: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        threshold: above 0; also the height of a spike; broadcasts against [B, ...].
        voltage: initial membrane potential, in the unit of the threshold; broadcasts against [B, ...].
        net_count: spikes sent so far minus spikes taken back; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        voltage_base: what voltage was before it was last rebased; the value is the sum of both; broadcasts against [B,
            ...].
        net_count_base: what net_count was before it was last rebased; the value is the sum of both; broadcasts against
            [B, ...].
        max_spikes: most spikes in one step, and most taken back; 0: no limit (not negative).
        signed: True: a neuron below 0 takes back spikes that it sent.
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], multiples of the threshold.
        voltage: [B, ...], after the last step.
        net_count: [B, ...], after the last step.
        step: step + n_steps.
        voltage_base: [B, ...], after the last step.
        net_count_base: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Sources: B. Rueckauer et al., Conversion of continuous-valued deep networks to efficient event-driven networks,
    Frontiers in Neuroscience 11 (2017); T. Bu et al., Optimized potential initialization for low-latency spiking neural
    networks, AAAI 2022; signed memory: Y. Wang et al., Signed neuron with memory, IJCAI 2022; several spikes a step: Y.
    Li and Y. Zeng, Efficient and accurate conversion of spiking neural network with burst spikes, IJCAI 2022. With
    threshold = amplitude / dt and max_spikes = 0 it computes nengo.SpikingRectifiedLinear for currents that are not
    negative.
    """
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
    """Integrate and fire with bounded memory.

        u = voltage + current
        n = clip(floor(u / threshold), least, max_spikes), least = 0 or, signed, -max_spikes
        spikes = n threshold
        voltage = clip(u - spikes, -memory threshold, (1 + memory) threshold)

    Args:
        current: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        threshold: above 0; also the height of a spike; broadcasts against [B, ...].
        voltage: initial membrane potential, in the unit of the threshold; broadcasts against [B, ...].
        max_spikes: most spikes in one step, of either sign (at least 1).
        signed: True: a neuron below 0 sends negative spikes.
        memory: how many thresholds below 0, and above the threshold, the voltage may be kept (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], multiples of the threshold.
        voltage: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Sources: nengo/neurons.py, class SpikingRectifiedLinear (Nengo 4.1), which is memory = 0 but for what is sent too
    late; lower bounds of membrane potentials: P. U. Diehl et al., Fast-classifying, high-accuracy spiking deep networks
    through weight and threshold balancing, IJCNN 2015.
    """
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
    """Receives all steps, then fires: the neuron of the two-phase schedule.

        n = clip(floor((current T + voltage) / threshold), least, T max_spikes), least = 0 or, signed, -T max_spikes
        spikes = n threshold / T

    Args:
        current: [B, ...], the mean of the current over all steps.
        n_steps: number of time steps T, at least 1.
        threshold: above 0; also the height of a spike; broadcasts against [B, ...].
        voltage: initial membrane potential, in the unit of the threshold; broadcasts against [B, ...].
        max_spikes: most spikes in one step (at least 1).
        signed: True: negative spikes too.

    Returns:
        spikes: [B, ...], the mean of the spikes over all steps.

    Raises:
        ValueError: n_steps is below 1, or an operand does not broadcast, or an attribute is outside its range.

    Source: T. Bu et al., Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural networks,
    ICLR 2022 (the quantisation); Z. Hao et al., Reducing ANN-SNN conversion error through residual membrane potential,
    AAAI 2023 (firing after the whole input).
    """
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
    """Few-spike code: T binary digits of the mean current.

        r = mean(current) + scale 2^-T / 2
        for t = 0 ... T-1: weight = scale 2^-(t+1)
        where r >= weight: spikes_t = T weight, r -= weight

    Args:
        current: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        scale: above 0; the largest value is scale (1 - 2^-T); broadcasts against [B, ...].
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], 0 or T scale 2^-(t+1).

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: C. Stoeckl and W. Maass, Optimized spiking neurons can classify images with high accuracy through temporal
    coding with two spikes, Nature Machine Intelligence 3 (2021), for ReLU.
    """
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
    """Few-spike code of which only the mean is wanted: T binary digits at once.

        r = clip(current + scale 2^-T / 2, 0, scale)
        mean = min(r - r mod scale 2^-T, scale (1 - 2^-T))

    Args:
        current: [B, ...], the mean of the current over all steps.
        n_steps: number of time steps T, at least 1.
        scale: above 0; the largest value is scale (1 - 2^-T); broadcasts against [B, ...].

    Returns:
        spikes: [B, ...], the mean of the spikes over all steps.

    Raises:
        ValueError: n_steps is below 1, or an operand does not broadcast.

    Source: C. Stoeckl and W. Maass, Optimized spiking neurons can classify images with high accuracy through temporal
    coding with two spikes, Nature Machine Intelligence 3 (2021), for ReLU.
    """
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
    """Leaky integrate and fire, as nengo.LIF.

        refractory_time -= dt
        delta = clip(dt - refractory_time, 0, dt)
        voltage -= (current - voltage) expm1(-delta / tau_rc)
        where voltage > 1: spikes = amplitude / dt, refractory_time = tau_ref + dt + tau_rc log1p(-(voltage - 1) /
            (current - 1)), voltage = 0
        else voltage = max(voltage, min_voltage)
        where |voltage| < smallest: voltage = 0

    Args:
        current: [T*B, ...] or, with constant_current, [B, ...]; 1 just reaches the threshold.
        n_steps: number of time steps T, at least 1.
        amplitude: a spike's area: it is amplitude / dt high; broadcasts against [B, ...].
        voltage: initial membrane potential; the threshold is 1; broadcasts against [B, ...].
        refractory_time: initial remaining refractory time in seconds; broadcasts against [B, ...].
        tau_rc: membrane time constant in seconds (above 0).
        tau_ref: refractory time in seconds (not negative).
        min_voltage: lowest membrane potential (not above 0).
        dt: length of a time step in seconds (above 0).
        smallest: a state of smaller size becomes 0, so that what decays does not end in denormal numbers, which are
            slow; 0: never (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], 0 or amplitude / dt.
        voltage: [B, ...], after the last step.
        refractory_time: [B, ...], after the last step, as nengo.LIF keeps it.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/neurons.py, class LIF (Nengo 4.1); equation 1 of Park and Heo, Conversion tools of spiking deep neural
    network based on ONNX.
    """
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
    """Leaky integrate and fire with adaptation, as nengo.AdaptiveLIF.

        LIF of (current - adaptation)
        adaptation += dt / tau_n (inc_n spikes - adaptation)
        where |adaptation| < smallest: adaptation = 0

    Args:
        current: [T*B, ...] or, with constant_current, [B, ...]; 1 just reaches the threshold.
        n_steps: number of time steps T, at least 1.
        amplitude: a spike's area: it is amplitude / dt high; broadcasts against [B, ...].
        voltage: initial membrane potential; the threshold is 1; broadcasts against [B, ...].
        refractory_time: initial remaining refractory time in seconds; broadcasts against [B, ...].
        adaptation: initial adaptation, in units of current; broadcasts against [B, ...].
        tau_rc: membrane time constant in seconds (above 0).
        tau_ref: refractory time in seconds (not negative).
        min_voltage: lowest membrane potential (not above 0).
        dt: length of a time step in seconds (above 0).
        smallest: a state of smaller size becomes 0, so that what decays does not end in denormal numbers, which are
            slow; 0: never (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].
        tau_n: time constant of the adaptation in seconds (above 0).
        inc_n: increase of the adaptation per spike area (not negative).

    Returns:
        spikes: [T*B, ...], 0 or amplitude / dt.
        voltage: [B, ...], after the last step.
        refractory_time: [B, ...], after the last step, as nengo.LIF keeps it.
        adaptation: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/neurons.py, class AdaptiveLIF (Nengo 4.1); J. Camera et al., Neural Computation 16(10), 2004.
    """
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
    """The Izhikevich neuron, as nengo.Izhikevich.

        voltage += (0.04 voltage^2 + 5 voltage + 140 - recovery + max(current, -30)) 1000 dt
        where voltage >= 30: spikes = amplitude / dt, voltage = reset_voltage
        recovery += tau_recovery (coupling voltage - recovery) 1000 dt, and where it spiked recovery += reset_recovery

    Args:
        current: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        amplitude: a spike's area: it is amplitude / dt high; broadcasts against [B, ...].
        voltage: initial membrane potential in mV; broadcasts against [B, ...]; by default at rest.
        recovery: initial recovery; broadcasts against [B, ...]; by default at rest.
        tau_recovery: rate of the recovery, per ms.
        coupling: sensitivity of the recovery to the voltage.
        reset_voltage: voltage after a spike, in mV.
        reset_recovery: increase of the recovery by a spike.
        dt: length of a time step in seconds (above 0).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], 0 or amplitude / dt.
        voltage: [B, ...], after the last step.
        recovery: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/neurons.py, class Izhikevich (Nengo 4.1), whose spikes have amplitude 1; E. Izhikevich, Simple model
    of spiking neurons, IEEE Transactions on Neural Networks 14(6), 2003.
    """
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
    """The rate of a LIF neuron, as nengo.LIFRate.

        rate = amplitude / (tau_ref + tau_rc log1p(1 / (current - 1))) where current > 1, else 0

    Args:
        current: any shape; 1 just reaches the threshold.
        amplitude: factor of the rate; broadcasts against the current.
        tau_rc: membrane time constant in seconds (above 0).
        tau_ref: refractory time in seconds (not negative).

    Returns:
        rate: the current's shape.

    Raises:
        ValueError: an operand does not broadcast, or an attribute is outside its range.

    Source: nengo/neurons.py, class LIFRate (Nengo 4.1).
    """
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
    """The rate of a LIF neuron with a soft threshold, as nengo_dl.SoftLIFRate.

        z = sigma log(1 + exp((current - 1) / sigma))
        rate = amplitude / (tau_ref + tau_rc log1p(1 / z))

    Args:
        current: any shape; 1 just reaches the threshold.
        amplitude: factor of the rate; broadcasts against the current.
        tau_rc: membrane time constant in seconds (above 0).
        tau_ref: refractory time in seconds (not negative).
        sigma: width of the soft threshold, in units of current (above 0).

    Returns:
        rate: the current's shape.

    Raises:
        ValueError: an operand does not broadcast, or an attribute is outside its range.

    Source: nengo_dl/neurons.py, class SoftLIFRate (NengoDL 3.6); E. Hunsberger and C. Eliasmith, Spiking deep networks
    with LIF neurons, arXiv:1510.08829.
    """
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
    """A rate as spikes at regular intervals, as nengo.RegularSpiking.

        voltage += dt rate
        n = floor(voltage)
        spikes = n amplitude / dt
        voltage -= n

    Args:
        rate: [T*B, ...] or, with constant_current, [B, ...]; spikes per second.
        n_steps: number of time steps T, at least 1.
        amplitude: a spike's area: it is amplitude / dt high; broadcasts against [B, ...].
        voltage: initial part of the next spike, in [0, 1); broadcasts against [B, ...].
        dt: length of a time step in seconds (above 0).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], multiples of amplitude / dt.
        voltage: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/neurons.py, class RegularSpiking (Nengo 4.1); A. Voelker et al., A spike in performance,
    arXiv:2002.03553.
    """
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
    """A rate as spikes by stochastic rounding, as nengo.StochasticSpiking.

        n = floor(dt |rate|), plus 1 with probability dt |rate| - n: where u_0 < dt |rate| - floor(dt |rate|)
        spikes = sign(rate) n amplitude / dt

    Args:
        rate: [T*B, ...] or, with constant_current, [B, ...]; spikes per second.
        n_steps: number of time steps T, at least 1.
        amplitude: a spike's area: it is amplitude / dt high; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        first_sample: number of samples already done by earlier batches of the same run.
        dt: length of a time step in seconds (above 0).
        seed: of the random numbers; layers that shall be independent need different seeds (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], multiples of amplitude / dt.
        step: step + n_steps.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/neurons.py, class StochasticSpiking (Nengo 4.1), which draws from NumPy's generator instead.
    """
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
    """A rate as spikes with Poisson statistics, as nengo.PoissonSpiking.

        n ~ Poisson(dt |rate|): n = n_0 + n_1 + n_2 + n_3, n_k ~ Poisson(m), m = min(dt |rate|, 64) / 4
        p_0 = exp(-m), p_i = p_(i-1) m / i
        n_k = the first i, at most 64, with u_k < p_0 + ... + p_i or p_i <= 1e-8
        spikes = sign(rate) n amplitude / dt

    Args:
        rate: [T*B, ...] or, with constant_current, [B, ...]; spikes per second.
        n_steps: number of time steps T, at least 1.
        amplitude: a spike's area: it is amplitude / dt high; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        first_sample: number of samples already done by earlier batches of the same run.
        dt: length of a time step in seconds (above 0).
        seed: of the random numbers; layers that shall be independent need different seeds (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], multiples of amplitude / dt.
        step: step + n_steps.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/neurons.py, class PoissonSpiking (Nengo 4.1), which draws from NumPy's generator instead; inversion:
    L. Devroye, Non-uniform random variate generation (1986), chapter X.3.
    """
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
    """Signed spikes that track a target.

        n = clip(round((step + 1) target / threshold) - net_count_base - net_count, -max_spikes, max_spikes), ties
            rounded to even
        spikes = n threshold
        net_count += n
        step += 1
        where step is a multiple of 64: a finite net_count moves into net_count_base if |net_count| >= 4096, what the
            base loses by rounding stays behind, and what is not finite becomes 0

    Args:
        target: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        threshold: above 0; the height of a spike; broadcasts against [B, ...].
        net_count: positive minus negative spikes sent so far; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        net_count_base: what net_count was before it was last rebased; the value is the sum of both; broadcasts against
            [B, ...].
        max_spikes: most spikes of either sign in one step; 0: no limit (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        spikes: [T*B, ...], multiples of the threshold.
        net_count: [B, ...], after the last step.
        step: step + n_steps.
        net_count_base: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: the tracking form of graded-activation neurons, e.g. P. O'Connor and M. Welling, Sigma delta quantized
    networks, ICLR 2017.
    """
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
    """The neuron of the delta code: spikes of several heights, each a change of the value.

        missing = (target - resting_value) / threshold - sent
        up to max_spikes times: j the smallest >= 0 with |missing| >= 3/4 2^-j, and where j <= finest_exponent +
            min(step, refinements) sent += sign(missing) 2^-j, missing -= sign(missing) 2^-j
        total = resting_value + threshold sent
        where sent is not finite, sent = 0
        step += 1

    Args:
        target: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        threshold: above 0; the height of the largest spike; broadcasts against [B, ...].
        resting_value: the value before the first spike; broadcasts against [B, ...].
        finest_exponent: j of the smallest spike 2^-j in the first step, a whole number; broadcasts against [B, ...].
        sent: the sum of the spikes so far, in thresholds; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        max_spikes: most spikes in one step; above 2^24 it is 2^24 (at least 1).
        refinements: number of steps after the first in each of which the finest exponent grows by 1 (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        total: [T*B, ...], the running sum of the spikes, +-threshold 2^-j high, from the resting value on.
        sent: [B, ...], after the last step.
        step: step + n_steps.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Sources: differential coding, a neuron's spikes are changes of its value, and multi-threshold neurons, with
    thresholds of powers of two and the 3/4 rule: Z. Huang et al., Differential coding for training-free ANN-to-SNN
    conversion, ICML 2025.
    """
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
    """The sum of all spikes of the delta code, in one pass: the neuron of its two-phase schedule.

        missing = (target - resting_value) / threshold, sent = 0
        n_steps times: j the smallest >= 0 with |missing| >= 3/4 2^-j, and where j <= finest_exponent sent +=
            sign(missing) 2^-j, missing -= sign(missing) 2^-j
        total = resting_value + threshold sent

    Args:
        target: [B, ...].
        n_steps: number of time steps T, at least 1.
        threshold: above 0; the height of the largest spike; broadcasts against [B, ...].
        resting_value: the value before the first spike; broadcasts against [B, ...].
        finest_exponent: j of the smallest spike 2^-j in the first step, a whole number; broadcasts against [B, ...].

    Returns:
        total: [B, ...], the sum of the spikes from the resting value on.

    Raises:
        ValueError: n_steps is below 1, or an operand does not broadcast.

    Source: as `MultiThreshold`.
    """
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
    """A first-order synapse, as nengo.Lowpass.

        y = a y + (1 - a) x, a = exp(-dt / tau)
        where |y| < smallest: y = 0

    Args:
        x: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        filtered: the last output, 0 at rest; broadcasts against [B, ...].
        tau: time constant in seconds (not negative).
        dt: length of a time step in seconds (above 0).
        smallest: a state of smaller size becomes 0, so that what decays does not end in denormal numbers, which are
            slow; 0: never (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        y: [T*B, ...].
        filtered: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/synapses.py, class Lowpass (Nengo 4.1).
    """
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
    """A second-order synapse, as nengo.Alpha.

        y = a y + m first + (1 - a - m) x
        first = a first + (1 - a) x
        a = exp(-dt / tau), m = dt / tau a
        where |y| < smallest: y = 0, and the same for first

    Args:
        x: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        first: the first filter, 0 at rest; broadcasts against [B, ...].
        filtered: the last output, 0 at rest; broadcasts against [B, ...].
        tau: time constant in seconds (not negative).
        dt: length of a time step in seconds (above 0).
        smallest: a state of smaller size becomes 0, so that what decays does not end in denormal numbers, which are
            slow; 0: never (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        y: [T*B, ...].
        first: [B, ...], after the last step.
        filtered: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: nengo/synapses.py, class Alpha (Nengo 4.1); Z. Mainen and T. Sejnowski, Science 268 (1995).
    """
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
    """The mean of everything up to now.

        sum += x
        y = (sum_base + sum) / (step + 1)
        step += 1
        where step is a multiple of 64: sum moves into sum_base if it is finite, what that loses by rounding stays
            behind, and what is not finite becomes 0

    Args:
        x: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        sum: sum of the earlier inputs, 0 at the start; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        sum_base: what sum was before it was last rebased; the value is the sum of both; broadcasts against [B, ...].
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        y: [T*B, ...].
        sum: [B, ...], after the last step.
        step: step + n_steps.
        sum_base: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: D. Knuth, The art of computer programming 2, section 4.2.2, theorem B (what a sum loses by rounding).
    """
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
    """A mean that forgets.

        mean += (x - mean) / min(step + 1, steps)
        step += 1
        where |mean| < smallest: mean = 0
        y = mean

    Args:
        x: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        mean: the last output, 0 at the start; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        steps: time constant in steps; 1: no memory (at least 1).
        smallest: a state of smaller size becomes 0, so that what decays does not end in denormal numbers, which are
            slow; 0: never (not negative).
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        y: [T*B, ...].
        mean: [B, ...], after the last step.
        step: step + n_steps.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.

    Source: averages with shares 1 / t at the start: H. Robbins and S. Monro, A stochastic approximation method, The
    Annals of Mathematical Statistics 22 (1951).
    """
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
    """The inverse of RunningMean.

        y = (step + 1) x - total
        total = (step + 1) x
        step += 1

    Args:
        x: [T*B, ...] or, with constant_current, [B, ...].
        n_steps: number of time steps T, at least 1.
        total: step times the previous input, 0 at the start; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        constant_current: True: the first input is [B, ...] and the same at every step; False: it is [T*B, ...].

    Returns:
        y: [T*B, ...].
        total: [B, ...], after the last step.
        step: step + n_steps.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast, or
            an attribute is outside its range.
    """
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
    """Into time: the same input at every step.

        y_t = x

    Args:
        x: [B, ...].
        n_steps: number of time steps T, at least 1.

    Returns:
        y: [T*B, ...].

    Raises:
        ValueError: n_steps is below 1.
    """
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
    """Out of time: the mean over the steps.

        for t = 0 ... T-1: sum += x_t, step += 1, where step is a multiple of 64: sum moves into sum_base if it is
            finite, what that loses by rounding stays behind, and what is not finite becomes 0
        y = (sum_base + sum) / step

    Args:
        x: [T*B, ...].
        n_steps: number of time steps T, at least 1.
        sum: sum of the earlier inputs, 0 at the start; broadcasts against [B, ...].
        step: number of time steps already done by earlier chunks of the same run.
        sum_base: what sum was before it was last rebased; the value is the sum of both; broadcasts against [B, ...].

    Returns:
        y: [B, ...].
        sum: [B, ...], after the last step.
        step: step + n_steps.
        sum_base: [B, ...], after the last step.

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis, or an operand does not broadcast.

    Source: D. Knuth, The art of computer programming 2, section 4.2.2, theorem B (what a sum loses by rounding).
    """
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
    """Out of time: the value at the last step.

        y = x_{T-1}

    Args:
        x: [T*B, ...].
        n_steps: number of time steps T, at least 1.

    Returns:
        y: [B, ...].

    Raises:
        ValueError: n_steps is below 1, or n_steps does not divide the first axis.
    """
    y: np.ndarray
    (y,) = _run(
        "TimeLast",
        (x, n_steps),
        {},
    )
    return y
