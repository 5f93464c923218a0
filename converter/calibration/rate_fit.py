"""Fits the firing rates of a layer of neurons to an activation: gain, bias, amplitude and offset per channel.

    f(x) ~ amplitude * rate(gain * x + bias) + offset

For every gain and bias of a grid the layer is simulated on the currents it really gets, spikes of the layers before it
included; amplitude and offset follow by least squares against the trained model's activations, and each channel keeps the
combination with the least squared error. The grid is in units of the channel's own scale and of the current about which the
neurons begin to fire, so it serves every activation and neuron. The refractory time is the whole layer's: each candidate is
fitted, and the one with the least error kept.

In a stream that forgets, samples follow each other without a reset, and a layer is fitted on the last of `FRAMES`. From rest a
layer with an offset sends that alone until its neurons fire: what is fitted to such a beginning, which comes once, does not
follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.graph.build import add_functions, set_constant, set_operand, to_proto
from converter.graph.run import Probe
from converter.io.samples import Samples
from converter.neurons.fitted import FittedNeuron
from converter.neurons.neuron import AMPLITUDE_AFTER, Placed
from converter.options import Options
from converter.spiking.expose_states import expose_states
from snn_ops.format import N_STEPS
from snn_ops.session import Session
from snn_ops.single import SingleOperator

GAINS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
BIASES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 18.0)


@dataclass(frozen=True)
class RateFit:
    """Per channel: ``f(x) ~ amplitude * rate(gain * x + bias) + offset``; attributes and error are the layer's."""

    attributes: Mapping[str, Any]
    gain: np.ndarray
    bias: np.ndarray
    amplitude: np.ndarray
    offset: np.ndarray
    relative_error: float


@dataclass(frozen=True)
class RateTarget:
    """What a layer's firing rates shall follow.

    Attributes:
        activation: of the trained model, ``[n, ...]``.
        scale: a typical magnitude of what it is applied to, per channel, positive.
        channel_axis: of the activation; None: one number for all.
        with_offset: the activation falls below 0.
    """

    activation: np.ndarray
    scale: np.ndarray
    channel_axis: int | None
    with_offset: bool


def fit_rates(
    neuron: FittedNeuron,
    currents: Sequence[np.ndarray],
    target: RateTarget,
    n_steps: int,
    attributes: Sequence[Mapping[str, Any]],
) -> RateFit:
    """Fits one layer.

    Args:
        neuron: its kind.
        currents: what the activation is applied to in the spiking model, ``[T*n, ...]``, or ``[n, ...]`` where it is the same
            at every step (`constant_current`); in a stream one array for each frame.
        target: what the rates shall follow, in the last frame.
        n_steps: T.
        attributes: candidates for the operator's attributes.
    """
    shape = _along(target.channel_axis, len(target.scale), target.activation.ndim)
    normalised = [(frame / target.scale.reshape(shape)).astype(np.float32) for frame in currents]
    activation = target.activation.astype(np.float64)
    threshold_current = neuron.threshold_current
    operands = {
        N_STEPS: np.asarray(n_steps),
        "amplitude": np.ones((), np.float32),
        **neuron.states_at_rest(),
    }
    fits = []
    for candidate in attributes:
        operator = SingleOperator(neuron.op_type, threads=2, **candidate)

        def rate(gain: np.float32, bias: np.float32, operator: SingleOperator = operator) -> np.ndarray:
            given, carried = dict(operands), operator.operator.carried
            for index, frame in enumerate(normalised):
                is_last = index + 1 == len(normalised)
                names = ["spikes"] if is_last else list(carried)
                inputs = [given[tensor.name] for tensor in operator.operator.inputs[1:]]
                found = operator(threshold_current * (gain * frame + bias), *inputs, outputs=names)
                if not is_last:
                    given.update({carried[name]: state for name, state in zip(names, found, strict=True)})
            mean: np.ndarray = found[0].reshape(n_steps, *activation.shape).mean(axis=0, dtype=np.float64)
            return mean

        fit = _fit_grid(rate, activation, target.channel_axis, target.with_offset)
        fits.append(replace(fit, attributes=candidate))
    best = min(fits, key=lambda fit: fit.relative_error)
    return replace(best, gain=threshold_current * best.gain / target.scale, bias=threshold_current * best.bias)


def _along(axis: int | None, length: int, rank: int) -> list[int]:
    """The shape of numbers along an axis; None: of one number for all."""
    return [length if place == axis else 1 for place in range(rank)]


def _fit_grid(
    rate_at: Callable[[np.float32, np.float32], np.ndarray],
    target: np.ndarray,
    channel_axis: int | None,
    with_offset: bool,
) -> RateFit:
    channels = 1 if channel_axis is None else target.shape[channel_axis]
    shape = _along(channel_axis, channels, target.ndim)
    other_axes = tuple(axis for axis in range(target.ndim) if axis != channel_axis)
    least = np.full(channels, np.inf)
    gain, bias, amplitude, offset = (np.zeros(channels) for _ in range(4))
    for g in GAINS:
        for b in BIASES:
            rate = rate_at(np.float32(g), np.float32(b))
            a, o = _least_squares(rate, target, other_axes, with_offset)
            error = ((a.reshape(shape) * rate + o.reshape(shape) - target) ** 2).mean(axis=other_axes)
            better = error < least
            least[better], gain[better], bias[better] = error[better], g, b
            amplitude[better], offset[better] = a[better], o[better]
    power = float((target**2).mean())
    return RateFit({}, gain, bias, amplitude, offset, float(np.sqrt(least.mean() / power)) if power else 0.0)


def _least_squares(
    rate: np.ndarray, target: np.ndarray, axes: tuple[int, ...], with_offset: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Amplitude and offset of the best rising line through (rate, target), per channel; amplitude 0 if there is none."""
    mean_rate = rate.mean(axis=axes, keepdims=True) if with_offset else np.zeros(())
    mean_target = target.mean(axis=axes, keepdims=True) if with_offset else np.zeros(())
    covariance = ((rate - mean_rate) * (target - mean_target)).sum(axis=axes)
    variance = ((rate - mean_rate) ** 2).sum(axis=axes)
    amplitude = np.divide(covariance, variance, out=np.zeros_like(variance), where=(variance > 0) & (covariance > 0))
    if not with_offset:
        return amplitude, np.zeros_like(amplitude)
    return amplitude, np.squeeze(mean_target, axis=axes) - amplitude * np.squeeze(mean_rate, axis=axes)


FIT_BYTES = 64 << 20
"""Currents of one layer held while it is fitted; the number of samples follows from it."""
FRAMES = 2
"""Samples one after the other that a layer is fitted on. With 3 a stream answers its first sample worse, others better."""


def fit_layer(
    trained: ir.Model, spiking: ir.Model, placed: Placed, samples: Samples, scale: np.ndarray, options: Options
) -> None:
    """Sets gain, bias, amplitude, offset and refractory time of a layer; the layers before it are fitted already.

    Args:
        trained: the trained model.
        spiking: the spiking one, which is changed.
        placed: a `FittedNeuron` in an activation's place.
        samples: for calibration; as many are used as `FIT_BYTES` allow, at least 8.
        scale: how large the activation's input is per channel, where the activation still changes.
        options: of this layer.
    """
    steps, node, neuron, site = options.n_steps, placed.node, placed.neuron, placed.site
    assert isinstance(neuron, FittedNeuron)
    constant = node.attributes["constant_current"].as_int()
    of_one = Probe(trained, [site.y]).run(samples.first(1).feed)[str(site.y.name)]
    count = FRAMES if options.forgets else 1
    samples = samples.first(max(8, FIT_BYTES // (of_one.size * 4 * steps * count)))
    frames = samples.in_turn(count)
    tau_refs = (options.dt, 2 * options.dt) if options.tau_ref is None else (options.tau_ref,)
    refractory = [{"tau_ref": tau_ref} for tau_ref in tau_refs] if neuron.has_refractory_time else [{}]
    activation = Probe(trained, [site.y]).run(frames[-1].feed)[str(site.y.name)]
    fit = fit_rates(
        neuron,
        _spiking_values(spiking, placed.x, frames, steps, bool(constant)),
        RateTarget(activation, scale, site.channel_axis, site.activation.below_0),
        steps,
        [{**neuron.attributes, **chosen, "constant_current": constant} for chosen in refractory],
    )
    fitted = {"gain": fit.gain, "bias": fit.bias, AMPLITUDE_AFTER: fit.amplitude, "offset": fit.offset}
    for name, value in placed.constants.items():
        set_constant(value, site.per_channel(fitted[name]))
    if not neuron.amplitude_follows:
        set_operand(node, "amplitude", site.per_channel(fit.amplitude))
    if neuron.has_refractory_time:
        node.attributes["tau_ref"] = ir.AttrFloat32("tau_ref", fit.attributes["tau_ref"])


def _spiking_values(
    spiking: ir.Model, value: ir.Value, frames: Sequence[Samples], steps: int, constant: bool
) -> list[np.ndarray]:
    """A value of the spiking model in each frame of a stream: ``[T*n, ...]``, or ``[n, ...]`` where it does not change."""
    model = spiking.clone()
    values = {str(v.name): v for v in (*model.graph.inputs, *(v for node in model.graph for v in node.outputs))}
    model.graph.outputs[:] = [values[str(value.name)]]
    common_passes.RemoveUnusedNodesPass()(model)
    streams = len(frames) > 1 and not constant
    if streams:
        expose_states(model)
    add_functions(model)
    session = Session(to_proto(model), n_steps=steps)
    parts: list[list[np.ndarray]] = [[] for _ in frames]
    size = max(1, session.rows // steps)
    for start in range(0, len(frames[0]), size):
        run = session.stream().run if streams else session.run_batch
        for frame, found in zip(frames, parts, strict=True):
            (array,) = run(frame.take(slice(start, start + size)).feed, steps)
            found.append(array if constant else array.reshape(steps, -1, *array.shape[1:]))
    joined = [np.concatenate(found, axis=0 if constant else 1) for found in parts]
    return joined if constant else [np.reshape(array, (-1, *array.shape[2:])) for array in joined]
