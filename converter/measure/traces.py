"""What neurons do over time: spikes and membrane voltages of chosen neurons, and how a layer's error falls from step to step.

A layer of n neurons sends n * T numbers for a sample, so everything here is bounded: some neurons of some samples are kept as
they are, all others go into histograms.

    rate code    the value after t steps is the mean of the spikes up to there
    few spikes   ... their sum / T: a spike is worth less the later it comes
    delta code   ... the resting value + their sum
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from converter.graph.run import Feed, Probe, batches
from converter.io.samples import Samples
from converter.measure.scores import StepResult, classes_of
from converter.neurons.neuron import AMPLITUDE_AFTER, Placed
from converter.spiking.model import SpikingModel
from snn_ops import Recording, RecordingError, Session
from snn_ops.ops import OPERATORS, Height, Unit
from snn_ops.record import layers_of

NEURONS = 40
"""Of a layer, in a raster."""
VOLTAGES = 3
"""Of these, whose voltage is kept too."""
SAMPLES = 3
"""Whose spikes are kept."""
BINS = 40
"""Of a histogram, and of each axis of a density."""
MOST_PAIRS = 40_000
"""Of a layer, that a density counts."""
MOST_STEPS = 256
"""Steps that are kept of a run."""
MOST_MARKS = 120_000
"""Neurons times steps times samples that are kept of all layers together."""
ARRAYS_OF_A_LAYER = 3
"""Spikes as numbers and as counts, voltages."""
RECORDING_BYTES = 256 << 20
"""Of what one run records: layers that are more than that take several runs, and one layer that alone is more is left out."""
LARGEST_PICTURE = 64
"""Pixels on a side of a sample that is kept to look at."""


@dataclass(frozen=True)
class Histogram:
    """Counts between edges: ``len(edges) == len(counts) + 1``."""

    edges: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, bins: int = BINS) -> Histogram:
        """Of finite numbers, from the smallest to the largest; of few different ones, a bin for each."""
        values = np.asarray(values, np.float64).ravel()
        different = np.unique(values)
        if different.size == 1:
            width = abs(different[0]) * 0.05 or 0.5
            return cls(np.array([different[0] - width, different[0] + width]), np.array([values.size]))
        counts, edges = np.histogram(values, bins=min(bins, max(8, different.size)))
        return cls(edges, counts)


@dataclass(frozen=True)
class Density:
    """How often an activation of the trained model was sent as which value.

    Attributes:
        activation, sent: edges of the bins.
        counts: ``[sent, activation]``.
    """

    activation: np.ndarray
    sent: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Firing:
    """Some neurons of a layer on one sample.

    Attributes:
        neurons: which, counted through the layer; ``[K]``.
        counts: spikes in each step, ``[T, K]``; below 0 where they are taken back or negative.
        sent: what they are worth together, in the unit of the activation, ``[T, K]``.
        followed: some of them to follow closely, by their place in `neurons`; ``[V]``.
        values: what those followed have sent up to each step, ``[T, V]``.
        voltages: their membrane voltages after each step, ``[T, V]``; None where the neurons have none.
        in_thresholds: the voltages are shares of the threshold; else they have the unit of the operator.
        wanted: the trained model's activations of all K; None where it is not known.
        fired, all_neurons: how many neurons of the layer sent a spike, and how many there are.
    """

    neurons: np.ndarray
    counts: np.ndarray
    sent: np.ndarray
    followed: np.ndarray
    values: np.ndarray
    voltages: np.ndarray | None
    in_thresholds: bool
    wanted: np.ndarray | None
    fired: int
    all_neurons: int


@dataclass(frozen=True)
class LayerTrace:
    """A layer of neurons.

    Attributes:
        name: as reports call it.
        thresholds: heights of a spike over the channels.
        rates: spikes per neuron and step over the neurons, mean over samples.
        density: activation against what was sent in all steps.
        errors: ||sent - activation|| / ||activation|| after each step; empty where the spikes have no order in time.
        firings: of the samples of `Traces.samples`.
        note: why there is none; "": there are.
    """

    name: str
    thresholds: Histogram
    rates: Histogram
    density: Density | None
    errors: tuple[float, ...] = ()
    firings: tuple[Firing, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """A sample whose spikes are kept.

    Attributes:
        label, ann_class, snn_class: None where not known.
        picture: ``[height, width]`` between 0 and 1, where the first input looks like an image; None elsewhere.
    """

    label: int | None
    ann_class: int | None
    snn_class: int | None
    picture: np.ndarray | None


@dataclass(frozen=True)
class Traces:
    """What was seen of a spiking model's neurons.

    Attributes:
        n_steps: of the runs.
        counted: samples of the histograms and densities.
        compared: samples of the errors over time.
        samples: those whose spikes are kept.
        layers: in the order of the conversion.
        outputs: of the model after each of several numbers of steps; empty where the front has them.
    """

    n_steps: int
    counted: int
    compared: int
    samples: tuple[Shown, ...]
    layers: tuple[LayerTrace, ...]
    outputs: tuple[StepResult, ...] = ()


class Watch:
    """Keeps pairs of an activation and what was sent for it, of each layer a bounded number.

    Args:
        layers: how many.
        samples: that will come.
    """

    def __init__(self, layers: int, samples: int) -> None:
        self.samples = samples
        self._most = max(1, MOST_PAIRS // max(1, samples))
        self._pairs: list[list[np.ndarray]] = [[] for _ in range(layers)]

    def add(self, layer: int, expected: np.ndarray, sent: np.ndarray) -> None:
        """A batch, ``[samples, ...]`` each."""
        most = self._most * len(expected)
        stride = expected.size // most | 1  # odd, so that it does not fall on the same column of every row of pixels
        pair = np.stack([expected.ravel()[::stride], sent.ravel()[::stride]]).astype(np.float32)
        self._pairs[layer].append(pair[:, np.isfinite(pair).all(axis=0)])

    def density(self, layer: int) -> Density | None:
        """None where nothing came."""
        if not sum(pair.size for pair in self._pairs[layer]):
            return None
        activation, sent = np.concatenate(self._pairs[layer], axis=1).astype(np.float64)
        edges = [_edges(values) for values in (activation, sent)]
        counts, _, _ = np.histogram2d(sent, activation, bins=[edges[1], edges[0]])
        return Density(edges[0], edges[1], counts.astype(np.int64))


def _edges(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def record_firing(
    spiking: SpikingModel,
    layer: str,
    feed: Feed,
    n_steps: int,
    *,
    neurons: int = NEURONS,
    followed: int = VOLTAGES,
) -> Firing:
    """Runs one sample and keeps what a layer does.

    Args:
        spiking: the model.
        layer: its name.
        feed: one sample.
        n_steps: T.
        neurons: how many are kept.
        followed: how many of these are followed closely.

    Raises:
        RecordingError: there is no such layer, or its spikes have no order in time.
    """
    nodes = layers_of(spiking.proto)
    states = [f"{layer}.voltage"] if layer in nodes and _has_voltage(nodes[layer]) else []
    _, recording = spiking.session().run(feed, n_steps=n_steps, record=[layer, *states])
    if layer not in nodes:
        raise RecordingError(f"{layer!r} is no layer that spikes; there are {', '.join(nodes)}")
    return _firing(recording, layer, nodes[layer], spiking.proto, neurons, None, followed)


def trace(
    proto: onnx.ModelProto,
    trained: ir.Model,
    layers: Sequence[Placed],
    samples: Samples,
    rates: Mapping[str, np.ndarray],
    watch: Watch,
    *,
    steps: int,
) -> Traces:
    """Runs both models on a few samples and looks at every layer.

    Args:
        proto: the finished spiking model.
        trained: the model with the activations.
        layers: of neurons.
        samples: a few; all of them are run.
        rates: spikes per neuron and step, ``[1, ...]``, by the name of a layer's node.
        watch: the pairs of activations and sent values.
        steps: T; beyond `MOST_STEPS` no more are kept.
    """
    tracer = _Tracer(proto, trained, layers, samples, steps)
    tracer.run()
    return Traces(
        steps,
        watch.samples,
        len(samples),
        tuple(_shown(samples, tracer.classes, index) for index in range(min(SAMPLES, len(samples)))),
        tuple(
            LayerTrace(
                placed.site.name,
                Histogram.of(placed.spike_heights()),
                Histogram.of(rates[str(placed.node.name)]),
                watch.density(index),
                tracer.errors(index),
                tuple(tracer.firings[index]),
                tracer.notes[index],
            )
            for index, placed in enumerate(layers)
        ),
    )


class _Tracer:
    """Adds up what layers do, sample by sample.

    Attributes:
        notes: by layer, why it cannot be recorded; "" where it can.
        firings: by layer.
        classes: of each sample, of the trained and of the spiking model.
    """

    def __init__(
        self, proto: onnx.ModelProto, trained: ir.Model, layers: Sequence[Placed], samples: Samples, n_steps: int
    ) -> None:
        self._proto, self._layers, self._n_steps = proto, layers, n_steps
        self._nodes = {str(node.name): (name, node) for name, node in layers_of(proto).items()}
        self._session = Session(proto)
        self._feeds = list(batches(samples.feed, 1))
        output = trained.graph.outputs[0]
        probe = Probe(trained, list(dict.fromkeys([output, *(placed.site.y for placed in layers)])))
        self._expected = [probe.run(feed) for feed in self._feeds]
        self._steps = min(n_steps, MOST_STEPS)
        count = len(layers)
        self.notes = [""] * count
        self.firings: list[list[Firing]] = [[] for _ in range(count)]
        self._error, self._power = np.zeros((count, self._steps)), np.zeros(count)
        self._kept = int(np.clip(MOST_MARKS // (SAMPLES * self._steps * count), 4, NEURONS))
        answers = (self._session.run(feed, n_steps=n_steps)[0] for feed in self._feeds[:SAMPLES])
        self.classes = [
            (_class_of(expected[str(output.name)]), _class_of(answer))
            for expected, answer in zip(self._expected, answers, strict=False)
        ]

    def run(self) -> None:
        """All samples, some layers after the other."""
        for group in self._groups():
            names = list(dict.fromkeys(name for index in group for name in self._names(index)))
            for number, (feed, expected) in enumerate(zip(self._feeds, self._expected, strict=True)):
                try:
                    _, recording = self._session.run(feed, n_steps=self._n_steps, record=names)
                except RecordingError as error:
                    self.notes[group[0]] = str(error)
                    break
                for index in group:
                    wanted = expected[str(self._layers[index].site.y.name)]
                    self._compare(recording, index, wanted)
                    if number < SAMPLES:
                        name, node = self._nodes[str(self._layers[index].node.name)]
                        self.firings[index].append(_firing(recording, name, node, self._proto, self._kept, wanted))

    def errors(self, index: int) -> tuple[float, ...]:
        """Of a layer, after each step."""
        if self.notes[index] or not self._power[index]:
            return ()
        return tuple(float(each) for each in np.sqrt(self._error[index] / self._power[index]))

    def _groups(self) -> list[list[int]]:
        """Layers that are recorded in one run. One that cannot be recorded has none; one that may not be, one of its own."""
        groups: list[list[int]] = []
        held = RECORDING_BYTES
        for index, placed in enumerate(self._layers):
            each = self._expected[0][str(placed.site.y.name)]
            size = ARRAYS_OF_A_LAYER * each.nbytes * self._n_steps
            if size > RECORDING_BYTES:
                self.notes[index] = f"its {each.size:,} neurons are too many to keep {self._n_steps} steps of"
                continue
            operator = OPERATORS[placed.node.op_type]
            is_alone = operator.gives_mean and not operator.train and operator.code != "delta"
            if held + size > RECORDING_BYTES or is_alone:
                groups.append([])
                held = 0
            groups[-1].append(index)
            held = RECORDING_BYTES if is_alone else held + size
        return groups

    def _names(self, index: int) -> list[str]:
        """What is recorded of a layer: its spikes and its voltages."""
        name, node = self._nodes[str(self._layers[index].node.name)]
        return [name, f"{name}.voltage"] if _has_voltage(node) else [name]

    def _compare(self, recording: Recording, index: int, wanted: np.ndarray) -> None:
        placed = self._layers[index]
        name, node = self._nodes[str(placed.node.name)]
        sent = recording[name].astype(np.float64).reshape(self._n_steps, *wanted.shape)
        sums = _as_activation(_values_up_to(sent, node, self._proto)[: self._steps], placed)
        gap = (sums - wanted) ** 2
        self._error[index] += gap.reshape(self._steps, -1).sum(axis=1)
        self._power[index] += float((wanted.astype(np.float64) ** 2).sum())


def _firing(
    recording: Recording,
    layer: str,
    node: onnx.NodeProto,
    proto: onnx.ModelProto,
    most: int,
    wanted: np.ndarray | None,
    followed_neurons: int = VOLTAGES,
) -> Firing:
    """What a layer does on the one sample of a recording."""
    whole = recording[layer]
    values = _values_up_to(whole, node, proto).reshape(len(whole), -1)[:MOST_STEPS]
    sent = whole.reshape(len(whole), -1)[:MOST_STEPS]
    is_counted = _height(node).unit is Unit.COUNTED and layer in recording.counts
    counts = recording.counts[layer][:MOST_STEPS].reshape(sent.shape) if is_counted else np.sign(sent)
    counts = counts.astype(np.int64)
    chosen = _choose(np.abs(counts).sum(axis=0), most)
    followed = np.linspace(0, len(chosen) - 1, min(followed_neurons, len(chosen)) + 2)[1:-1].round().astype(int)
    voltages, in_thresholds = None, is_counted and not _height(node).per_dt
    if f"{layer}.voltage" in recording:
        voltage = recording[f"{layer}.voltage"][:MOST_STEPS]
        if in_thresholds:
            voltage = voltage / recording.heights[layer]
        voltages = voltage.reshape(len(voltage), -1)[:, chosen[followed]]
    return Firing(
        chosen,
        counts[:, chosen],
        sent[:, chosen],
        followed,
        values[:, chosen[followed]],
        voltages,
        in_thresholds,
        None if wanted is None else wanted.reshape(-1)[chosen].astype(np.float64),
        int((counts != 0).any(axis=0).sum()),
        counts[0].size,
    )


def _values_up_to(sent: np.ndarray, node: onnx.NodeProto, proto: onnx.ModelProto) -> np.ndarray:
    """What a layer that sent this, ``[T, B, ...]``, has said up to each step."""
    sums: np.ndarray = sent.astype(np.float64).cumsum(axis=0)
    unit = _height(node).unit
    if unit is Unit.DIFFERENTIAL:
        sums += _resting_value(proto, node)
    elif unit is Unit.BINARY:
        sums /= len(sums)
    else:
        steps = np.arange(1, len(sums) + 1)
        sums /= steps.reshape([-1, *[1] * (sums.ndim - 1)])
    return sums


def _as_activation(values: np.ndarray, placed: Placed) -> np.ndarray:
    """What stands for the activation where a fitted factor and offset follow the neurons."""
    factor, offset = (placed.constants.get(name) for name in (AMPLITUDE_AFTER, "offset"))
    for constant, apply in ((factor, np.multiply), (offset, np.add)):
        if constant is not None and constant.const_value is not None:
            values = apply(values, constant.const_value.numpy())
    return values


def _choose(totals: np.ndarray, most: int) -> np.ndarray:
    """Neurons that spike, evenly from those that do most to those that do least; where none does, silent ones."""
    order = np.argsort(-totals, kind="stable")
    active = int((totals > 0).sum()) or order.size
    chosen: np.ndarray = order[np.unique(np.linspace(0, active - 1, min(most, active)).astype(int))]
    return chosen


def _has_voltage(node: onnx.NodeProto) -> bool:
    return any(state.name == "voltage" for state in OPERATORS[node.op_type].states)


def _height(node: onnx.NodeProto) -> Height:
    height = OPERATORS[node.op_type].height
    assert height is not None
    return height


def _resting_value(proto: onnx.ModelProto, node: onnx.NodeProto) -> np.ndarray:
    """Broadcasts against ``[B, ...]``."""
    names = [tensor.name for tensor in OPERATORS[node.op_type].inputs]
    given = node.input[names.index("resting_value")]
    return next((numpy_helper.to_array(t) for t in proto.graph.initializer if t.name == given), np.zeros(()))


def _class_of(output: np.ndarray) -> int | None:
    classes = classes_of(output, 1)
    return None if classes is None or classes.size != 1 else int(classes.reshape(-1)[0])


def _shown(samples: Samples, classes: Sequence[tuple[int | None, int | None]], index: int) -> Shown:
    label = None if samples.labels is None else int(samples.labels[index])
    return Shown(label, *classes[index], picture_of(next(iter(samples.feed.values()))[index]))


def picture_of(sample: np.ndarray) -> np.ndarray | None:
    """``[height, width]`` between 0 and 1 of what looks like an image, 1, 3 or 4 channels first or last; None elsewhere."""
    array = np.squeeze(np.asarray(sample, np.float64))
    if array.ndim == 3 and array.shape[0] in (3, 4):
        array = array.mean(axis=0)
    elif array.ndim == 3 and array.shape[-1] in (3, 4):
        array = array.mean(axis=-1)
    if array.ndim != 2 or min(array.shape) < 8 or max(array.shape) > 4 * min(array.shape):
        return None
    array = array[:: -(-array.shape[0] // LARGEST_PICTURE), :: -(-array.shape[1] // LARGEST_PICTURE)]
    low, high = array.min(), array.max()
    return (array - low) / (high - low) if high > low else np.zeros(array.shape)
