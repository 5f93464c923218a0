"""A spiking model against the trained one, layer by layer, and its spikes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from converter.graph.run import Feed, Probe, batches, start_quietly
from converter.io.samples import Samples
from converter.measure.instruments import (
    DENSITY_SUFFIX,
    EVENTS_SUFFIX,
    FIRST_EVENTS_SUFFIX,
    MEAN_SUFFIX,
    RATE_SUFFIX,
    SPIKES_SUFFIX,
    with_layer_means,
)
from converter.measure.scores import Score, StepResult
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


@dataclass(frozen=True)
class Spikes:
    """What the neurons of a layer send, per sample in all steps, ``[1, ...]``.

    Attributes:
        count: spikes, each of a burst counted and those taken back as well.
        events: steps with a spike.
        first: those of the first step.
    """

    count: np.ndarray
    events: np.ndarray
    first: np.ndarray

    def scaled(self, factor: float) -> Spikes:
        """For another number of steps, at the same rate."""
        return self if factor == 1 else Spikes(self.count * factor, self.events * factor, self.first)


@dataclass(frozen=True)
class Comparison:
    """Both models on the same samples.

    Attributes:
        errors: of the layers, in their order.
        spikes: by the name of the neurons' node.
        densities: share of a layer's inputs that are not zero, by the layer's name.
        outputs: of the spiking model against the trained one.
        ann_accuracy: of the trained model; None without labels.
    """

    errors: Sequence[LayerError]
    spikes: Mapping[str, Spikes]
    densities: Mapping[str, float]
    outputs: StepResult
    ann_accuracy: float | None


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
    run = _Run(trained, spiking, layers, samples, n_steps)
    sums = [_ErrorSums(placed.site.channel_axis) for placed in layers]
    for outputs, expected, count in run:
        for placed, layer in zip(layers, sums, strict=True):
            rate = float(outputs[f"{placed.node.name}{RATE_SUFFIX}"]) * count
            layer.add(outputs[f"{placed.y.name}{MEAN_SUFFIX}"], expected[str(placed.site.y.name)], rate)
    return [layer.result() for layer in sums]


def compare(
    trained: ir.Model,
    spiking: ir.Model,
    layers: Sequence[Placed],
    samples: Samples,
    n_steps: int,
    dense: Collection[str] = (),
    watch: Callable[[int, np.ndarray, np.ndarray], None] | None = None,
) -> Comparison:
    """The same with all that is to be known of the spikes, and with the models' outputs.

    Args:
        trained, spiking, layers, samples, n_steps: as for `compare_layers`, `layers` being all of them.
        dense: layers with weights that take other numbers than spikes.
        watch: called with a layer's number, its activations and what was sent for them, batch by batch.
    """
    run = _Run(trained, spiking, layers, samples, n_steps, counted=True, dense=dense)
    sums = [_ErrorSums(placed.site.channel_axis) for placed in layers]
    names = [str(value.name) for value in trained.graph.outputs]
    score = Score(1, samples.labels is not None, against=True)
    totals: dict[str, np.ndarray] = {}
    done = 0
    for outputs, expected, count in run:
        for index, (placed, layer) in enumerate(zip(layers, sums, strict=True)):
            spikes = outputs[f"{placed.node.name}{SPIKES_SUFFIX}"]
            rate = float(spikes.sum(dtype=np.float64)) / max(1, spikes.size) / n_steps
            sent, wanted = outputs[f"{placed.y.name}{MEAN_SUFFIX}"], expected[str(placed.site.y.name)]
            layer.add(sent, wanted, rate)
            if watch is not None:
                watch(index, wanted, sent)
        labels = None if samples.labels is None else samples.labels[done : done + count]
        score.add({name: outputs[name][None] for name in names}, [expected[name] for name in names], labels)
        done += count
        for name in (name for name in outputs if name.endswith((SPIKES_SUFFIX, EVENTS_SUFFIX, FIRST_EVENTS_SUFFIX))):
            totals[name] = totals.get(name, 0.0) + outputs[name].astype(np.float64)
        for name in (name for name in outputs if name.endswith(DENSITY_SUFFIX)):
            totals[name] = totals.get(name, np.zeros(())) + float(outputs[name]) * count
    means = {name: total / done for name, total in totals.items()}

    def spikes_of(name: str) -> Spikes:
        count = means[f"{name}{SPIKES_SUFFIX}"]
        return Spikes(
            count, means.get(f"{name}{EVENTS_SUFFIX}", count), means.get(f"{name}{FIRST_EVENTS_SUFFIX}", np.zeros(()))
        )

    return Comparison(
        [layer.result() for layer in sums],
        {str(placed.node.name): spikes_of(str(placed.node.name)) for placed in layers},
        {n.removesuffix(DENSITY_SUFFIX): float(share) for n, share in means.items() if n.endswith(DENSITY_SUFFIX)},
        score.result(0, n_steps),
        score.ann_accuracy(),
    )


@dataclass
class _Run:
    """Both models, batch by batch: the spiking model's outputs, the trained one's values, the number of samples."""

    trained: ir.Model
    spiking: ir.Model
    layers: Sequence[Placed]
    samples: Samples
    n_steps: int
    counted: bool = False
    dense: Collection[str] = field(default_factory=tuple)

    def __iter__(self) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]]:
        row_bytes = Metadata.read(self.spiking.metadata_props).row_bytes
        feeds = list(batches(self.samples.feed, max(1, rows_at_once(row_bytes) // self.n_steps)))
        wanted = [placed.site.y for placed in self.layers] + (list(self.trained.graph.outputs) if self.counted else [])
        probe = Probe(self.trained, list(dict.fromkeys(wanted)))
        activations: Iterable[dict[str, np.ndarray]] = (probe.run(feed) for feed in feeds)
        if len(feeds) == 1:  # large models: one after the other in memory
            activations = list(activations)
            del probe
        model = with_layer_means(self.spiking, self.layers, counted=self.counted, dense=self.dense)
        session = start_quietly(model, spiking=True)
        del model
        names = [output.name for output in session.get_outputs()]
        for feed, expected in zip(feeds, activations, strict=True):
            given: Feed = {**feed, N_STEPS: np.asarray(self.n_steps)}
            outputs = dict(zip(names, session.run(names, given), strict=True))
            yield outputs, expected, len(next(iter(feed.values())))


class _ErrorSums:
    """Of a layer, over batches."""

    def __init__(self, channel_axis: int | None) -> None:
        self._channel_axis = channel_axis
        self._error = self._power = self._rate = 0.0
        self._missing: np.ndarray | float = 0.0
        self._samples = 0

    def add(self, mean: np.ndarray, expected: np.ndarray, rate: float) -> None:
        """A batch: means over time and activations ``[samples, ...]``; spikes per neuron and step, summed over samples."""
        missing = expected.astype(np.float64) - mean
        self._error += float((missing**2).sum())
        self._power += float((expected.astype(np.float64) ** 2).sum())
        others = tuple(axis for axis in range(1, missing.ndim) if axis != self._channel_axis)
        self._missing = self._missing + missing.mean(axis=others).sum(axis=0)
        self._rate += rate
        self._samples += len(mean)

    def result(self) -> LayerError:
        """Over all batches."""
        error = float(np.sqrt(self._error / self._power)) if self._power else 0.0
        return LayerError(error, np.atleast_1d(self._missing / self._samples), self._rate / self._samples)
