"""A spiking model against the trained one, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.graph.run import Probe, batches, start_quietly
from converter.io.samples import Samples
from converter.measure.instruments import MEAN_SUFFIX, RATE_SUFFIX, with_layer_means
from converter.neurons.neuron import Placed
from snn_ops.format import N_STEPS, Metadata
from snn_ops.session import rows_at_once


@dataclass(frozen=True)
class LayerError:
    """A layer's mean over time against the trained activation.

    Attributes:
        relative_error: ||snn - ann|| / ||ann|| over all samples; 0 where the activation is silent.
        missing: mean of ann - snn per channel.
        spike_rate: spikes per neuron and step.
    """

    relative_error: float
    missing: np.ndarray
    spike_rate: float


def compare_layers(
    trained: ir.Model, spiking: ir.Model, layers: Sequence[Placed], samples: Samples, n_steps: int
) -> list[LayerError]:
    """Runs both models on the samples.

    Args:
        trained: the model with the activations.
        spiking: the model with the neurons that took their places; not yet with functions.
        layers: those to compare.
        samples: a few; all of them are run for `n_steps` steps.
    """
    row_bytes = Metadata.read(spiking.metadata_props).row_bytes
    feeds = list(batches(samples.feed, max(1, rows_at_once(row_bytes) // n_steps)))
    probe = Probe(trained, [placed.site.y for placed in layers])
    activations: Iterable[dict[str, np.ndarray]] = (probe.run(feed) for feed in feeds)
    if len(feeds) == 1:  # large models: one after the other in memory
        activations = list(activations)
        del probe
    session = start_quietly(with_layer_means(spiking, layers), spiking=True)
    names = [output.name for output in session.get_outputs()]
    sums = [_ErrorSums(placed.site.channel_axis) for placed in layers]
    for feed, expected in zip(feeds, activations, strict=True):
        outputs = dict(zip(names, session.run(names, {**feed, N_STEPS: np.asarray(n_steps)}), strict=True))
        for placed, layer in zip(layers, sums, strict=True):
            rate = float(outputs[f"{placed.node.name}{RATE_SUFFIX}"])
            layer.add(outputs[f"{placed.y.name}{MEAN_SUFFIX}"], expected[str(placed.site.y.name)], rate)
    return [layer.result() for layer in sums]


class _ErrorSums:
    """Of a layer, over batches."""

    def __init__(self, channel_axis: int) -> None:
        self._channel_axis = channel_axis
        self._error = self._power = self._rate = 0.0
        self._missing: np.ndarray | float = 0.0
        self._samples = 0

    def add(self, mean: np.ndarray, expected: np.ndarray, rate: float) -> None:
        """A batch: means over time and activations ``[samples, ...]``, spikes per neuron and step."""
        missing = expected.astype(np.float64) - mean
        self._error += float((missing**2).sum())
        self._power += float((expected.astype(np.float64) ** 2).sum())
        others = tuple(axis for axis in range(1, missing.ndim) if axis != self._channel_axis)
        self._missing = self._missing + missing.mean(axis=others).sum(axis=0)
        self._rate += rate * len(mean)
        self._samples += len(mean)

    def result(self) -> LayerError:
        """Over all batches."""
        error = float(np.sqrt(self._error / self._power)) if self._power else 0.0
        return LayerError(error, np.atleast_1d(self._missing / self._samples), self._rate / self._samples)
