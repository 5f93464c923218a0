"""Thresholds, resting values and finest exponents of the delta code's neurons, from calibration samples.

For each channel of a value x that enters layers with weights:

    resting value = 0 or the channel's median, whichever takes fewer spikes on the samples
    threshold     = the 99.9 % quantile of |x - resting value|, at least half of the layer's root mean square of these
    finest exponent = base + half of log2(threshold x norm of the outgoing weights / that of the layer's largest)
                           + half of log2(average multiply-adds of a layer / this layer's), at most 3 and not below 0

Channels that matter little need no fine heights; layers that are cheap may be exact. An image that enters the network is the
one value that nothing later makes good: it gets two more, but not in a stream, where they would send a sensor's noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.activations.encoders import Encoder, Entry
from converter.errors import RefusedError
from converter.graph.build import constant_of, maker_of
from converter.graph.run import Probe, batches
from converter.io.progress import Progress, silent
from converter.io.samples import Samples
from converter.neurons.delta import DeltaNumbers, Exponents

LEAST_SAMPLES = 8
"""Below it, ranges are guesses."""
QUANTILE = 0.999
LEAST_OF_ROOT_MEAN_SQUARE = 0.5
LEAST_OF_LARGEST = 1e-3
"""A channel that is always the same needs a threshold, too."""
MOST_CHEAP = 3.0
MOST_BASE = 12
"""Of the finest exponent, before a channel's own part."""
MOST_SAMPLES = 256
VALUES_PER_SAMPLE = 32
"""Of a channel."""
MOST_BYTES = 1 << 29
"""Values held at once; of large models fewer per sample."""
SLOTS = 4
"""Spikes that count when resting values are compared."""
VALUES_COMPARED = 2048


@dataclass(frozen=True)
class TargetValues:
    """What a value was on the samples: `values` ``[channels, n]``, and the norm of the weights behind each channel."""

    values: np.ndarray
    weights: np.ndarray


def gather(
    model: ir.Model, encoders: Sequence[Encoder], samples: Samples, progress: Progress = silent
) -> dict[str, TargetValues]:
    """Runs the trained model on some samples and keeps a part of each value, by its name.

    Raises:
        RefusedError: too few samples, all alike, or values that are not finite.
    """
    used = samples.first(MOST_SAMPLES)
    _check(used)
    probe = Probe(model, [encoder.value for encoder in encoders])
    rng = np.random.default_rng(0)
    kept: dict[str, list[np.ndarray]] = {str(encoder.value.name): [] for encoder in encoders}
    seen, most = 0, VALUES_PER_SAMPLE
    for batch in batches(used.feed, 32):
        arrays = probe.run(batch)
        count = len(next(iter(batch.values())))
        if not seen:
            channels = sum(_channels(arrays[str(e.value.name)], e.channel_axis) for e in encoders)
            most = int(np.clip(MOST_BYTES // max(1, 4 * channels * len(used)), 1, VALUES_PER_SAMPLE))
        for encoder in encoders:
            name = str(encoder.value.name)
            rows = _by_sample(arrays[name], encoder.channel_axis, count)
            if not np.isfinite(rows).all():
                raise RefusedError(
                    "the trained model computes values that are not finite on the calibration samples",
                    node=maker_of(encoder.value),
                )
            length = rows.shape[2]
            if length > most:
                rows = rows[:, :, np.sort(rng.choice(length, most, replace=False))]
            kept[name].append(rows.astype(np.float32))
        seen += count
        progress("calibrating", seen, len(used))
    result = {}
    for encoder in encoders:
        values = np.concatenate(kept[str(encoder.value.name)])  # [samples, channels, n]
        channels = values.shape[1]
        norms = np.sqrt(sum(_outgoing(entry, channels) ** 2 for entry in encoder.entries))
        result[str(encoder.value.name)] = TargetValues(values.transpose(1, 0, 2).reshape(channels, -1), norms)
    return result


def fit(
    encoders: Sequence[Encoder],
    targets: Mapping[str, TargetValues],
    multiply_adds: Mapping[str, int],
    exponents: Exponents,
) -> list[DeltaNumbers]:
    """The numbers of every neuron.

    Args:
        encoders: the values.
        targets: from `gather`.
        multiply_adds: per sample, by the name of a layer with weights.
        exponents: of the schedule.
    """
    cheap = _cheap(encoders, multiply_adds)
    return [
        _numbers(encoder, targets[str(encoder.value.name)], exponents, more)
        for encoder, more in zip(encoders, cheap, strict=True)
    ]


def _numbers(encoder: Encoder, target: TargetValues, exponents: Exponents, cheap: float) -> DeltaNumbers:
    finer = cheap + exponents.image_refinement * encoder.is_image
    exponent, last = (min(round(of_average + finer), MOST_BASE) for of_average in (exponents.base, exponents.most_base))
    found = []
    for rest in (np.zeros(len(target.values)), np.median(target.values, axis=1)):
        away = target.values - rest[:, None]
        size = np.abs(away)
        top = np.quantile(size * target.weights[:, None], QUANTILE)
        threshold = np.quantile(size, QUANTILE, axis=1)
        threshold = np.maximum(threshold, LEAST_OF_ROOT_MEAN_SQUARE * np.sqrt((threshold**2).mean()))
        threshold = np.maximum(threshold, max(1e-6, LEAST_OF_LARGEST * threshold.max()))
        share = np.maximum(threshold * target.weights / max(top, 1e-12), 2.0**-12)
        shift = np.round(0.5 * np.log2(share))
        spikes = _spikes(away[:, :VALUES_COMPARED] / threshold[:, None], (exponent + 2 + shift)[:, None])
        found.append((rest, threshold, shift, spikes))
    (rest, threshold, shift, spikes), (other_rest, other_threshold, other_shift, other_spikes) = found
    moved = other_spikes < 0.95 * spikes
    rest, threshold, shift = (
        np.where(moved, there, here)
        for here, there in ((rest, other_rest), (threshold, other_threshold), (shift, other_shift))
    )
    if encoder.is_product:  # so that the product of two heights is one shift
        threshold = 2.0 ** np.round(np.log2(threshold))
    rank = len(encoder.value.shape) if encoder.value.shape is not None else 2
    shape: tuple[int, ...] = ()
    if encoder.channel_axis is not None:
        place = (1,) * encoder.channel_axis + (-1,) + (1,) * (rank - 1 - encoder.channel_axis)
        shape = place[1:] if encoder.channel_axis else (-1,)
    return DeltaNumbers(
        threshold.reshape(shape),
        rest.reshape(shape),
        (exponent + shift).reshape(shape),
        last - exponent,
    )


def _cheap(encoders: Sequence[Encoder], multiply_adds: Mapping[str, int]) -> list[float]:
    """Exponents that an encoder may go beyond the others because few additions hang on it."""
    work = np.array(
        [sum(multiply_adds.get(str(e.node.name), 0) for e in encoder.entries) for encoder in encoders], float
    )
    share = np.maximum(work, 1) / max(work.sum(), 1)
    mean = math.exp(float((share * np.log(share)).sum()))
    return [float(more) for more in np.clip(0.5 * np.log2(mean / share), 0, MOST_CHEAP)]


def _spikes(values: np.ndarray, finest: np.ndarray) -> np.ndarray:
    """How many spikes the rows take on average, in units of the threshold."""
    count = np.zeros(len(values))
    for _ in range(SLOTS):
        size = np.abs(values) / 0.75
        sends = size >= 2.0**-finest
        count += sends.mean(axis=1)
        exponent = np.floor(np.log2(np.maximum(size, 1e-12)))
        values = values - sends * np.sign(values) * 2.0 ** np.minimum(np.maximum(exponent, -np.maximum(finest, 0)), 0)
    return count


def _channels(array: np.ndarray, channel_axis: int | None) -> int:
    return 1 if channel_axis is None else int(array.shape[channel_axis])


def _by_sample(array: np.ndarray, channel_axis: int | None, samples: int) -> np.ndarray:
    """``[samples, channels, n]``; where the samples cannot be told apart, as one."""
    rows = array[None] if channel_axis is None else np.moveaxis(array, channel_axis, 0)
    channels = len(rows)
    parts = samples if array.size % (samples * channels) == 0 else 1
    return rows.reshape(channels, parts, -1).transpose(1, 0, 2)


def _outgoing(entry: Entry, channels: int) -> np.ndarray:
    """The norm of the weights that each channel of a layer's input meets; 1 for a product of signals."""
    node = entry.node
    ones = np.ones(channels)
    weights = next((c for c in (constant_of(v) for v in (node.inputs[1], node.inputs[0])) if c is not None), None)
    if weights is None:
        return ones
    squares = weights.astype(np.float64) ** 2
    if node.op_type == "Conv":
        group = node.attributes["group"].as_int() if "group" in node.attributes else 1
        sums = squares.reshape(group, -1, *squares.shape[1:])
        sums = sums.sum(axis=(1, *range(3, sums.ndim))).reshape(-1)
    elif node.op_type == "ConvTranspose":
        sums = squares.reshape(len(squares), -1).sum(axis=1)
    elif node.op_type in ("MatMul", "Gemm"):
        at_left = constant_of(node.inputs[1]) is None
        turned = node.op_type == "Gemm" and "transB" in node.attributes and bool(node.attributes["transB"].as_int())
        sums = (squares.swapaxes(-1, -2) if squares.ndim > 1 and at_left != turned else squares).sum(axis=-1)
        sums = sums.reshape(-1, sums.shape[-1]).sum(axis=0) if sums.ndim else ones
    else:  # recurrent: [directions, gates, inputs]
        sums = squares.sum(axis=tuple(range(squares.ndim - 1)))
    return np.sqrt(sums) if sums.shape == (channels,) else ones


def _check(samples: Samples) -> None:
    """Raises RefusedError where ranges cannot follow from the samples."""
    if len(samples) < LEAST_SAMPLES:
        raise RefusedError(
            f"the delta code needs at least {LEAST_SAMPLES} calibration samples, better some hundred; there are {len(samples)}"
        )
    if all((array == array[:1]).all() for array in samples.feed.values()):
        raise RefusedError(
            "the calibration samples are all the same; the ranges of the delta code follow from different ones"
        )
