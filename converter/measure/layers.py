"""A spiking model against the trained one, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.activations.sites import Site
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
    trained: ir.Model,
    spiking: ir.Model,
    sites: Sequence[Site],
    neurons: Sequence[Placed],
    samples: Samples,
    n_steps: int,
) -> list[LayerError]:
    """Runs both models on the samples.

    Args:
        trained: with the activations that `sites` are.
        spiking: with the neurons that took their place, in the same order; not yet with functions.
        sites, neurons: the layers to compare.
        samples: a few; all of them are run for `n_steps` steps.
    """
    rows = rows_at_once(Metadata.read(spiking.metadata_props).row_bytes)
    parts = list(batches(samples.feed, max(1, rows // n_steps)))
    probe = Probe(trained, [site.y for site in sites])
    activations: Iterable[dict[str, np.ndarray]] = (probe.run(part) for part in parts)
    if len(parts) == 1:  # large models: one after the other in memory
        activations = list(activations)
        del probe
    session = start_quietly(with_layer_means(spiking, neurons), spiking=True)
    names = [output.name for output in session.get_outputs()]
    sums = [_Sums() for _ in sites]
    for part, expected in zip(parts, activations, strict=True):
        found = dict(zip(names, session.run(names, {**part, N_STEPS: np.asarray(n_steps)}), strict=True))
        for site, placed, layer in zip(sites, neurons, sums, strict=True):
            rate = float(found[f"{placed.node.name}{RATE_SUFFIX}"])
            layer.add(found[f"{placed.y.name}{MEAN_SUFFIX}"], expected[str(site.y.name)], site.channel_axis, rate)
    return [layer.result() for layer in sums]


class _Sums:
    def __init__(self) -> None:
        self._error = self._power = self._rate = 0.0
        self._missing: np.ndarray | float = 0.0
        self._samples = 0

    def add(self, found: np.ndarray, expected: np.ndarray, channel_axis: int, rate: float) -> None:
        missing = expected.astype(np.float64) - found
        self._error += float((missing**2).sum())
        self._power += float((expected.astype(np.float64) ** 2).sum())
        others = tuple(axis for axis in range(1, missing.ndim) if axis != channel_axis)
        self._missing = self._missing + missing.mean(axis=others).sum(axis=0)
        self._rate += rate * len(found)
        self._samples += len(found)

    def result(self) -> LayerError:
        error = float(np.sqrt(self._error / self._power)) if self._power else 0.0
        return LayerError(error, np.atleast_1d(self._missing / self._samples), self._rate / self._samples)
