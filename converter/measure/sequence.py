"""How well a spiking model does as a stream: samples one after the other, without a reset between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx

from converter.errors import RefusedError
from converter.graph.run import RUNTIME_ERRORS, start_quietly
from converter.io.samples import Samples
from converter.measure.cost import PICOJOULE_PER_ADDITION, PICOJOULE_PER_MULTIPLY_ADD
from converter.measure.instruments import RATE_SUFFIX, with_rates
from converter.measure.scores import Score, classes_of, strange_labels
from converter.measure.totals import WorkTotals
from converter.normalise.ann import Ann
from converter.options import check_steps
from converter.spiking.model import SpikingModel
from snn_ops.format import known
from snn_ops.provider import ProviderOptions
from snn_ops.session import Session


@dataclass(frozen=True)
class Frame:
    """A sample in the stream.

    Attributes:
        right: its class is the label's; None without labels.
        agrees: its class is the trained model's; None without it.
        spike_rates: spikes per neuron and step, by layer.
        synaptic_operations: additions that its spikes cause, at the layers' fan-out on calibration samples; None where the file
            does not say them.
        energy_ratio: of these and the multiply-adds that stay, as a share of the trained model's; None likewise.
    """

    right: bool | None
    agrees: bool | None
    spike_rates: dict[str, float]
    synaptic_operations: float | None
    energy_ratio: float | None


@dataclass(frozen=True)
class Part:
    """Some frames of a sequence; what is not known is None.

    Attributes:
        frames: how many.
        accuracy, agreement: shares.
        spike_rate: spikes per neuron and step, mean over layers.
        synaptic_operations, energy_ratio: per frame.
    """

    frames: int
    accuracy: float | None
    agreement: float | None
    spike_rate: float | None
    synaptic_operations: float | None
    energy_ratio: float | None

    @staticmethod
    def of(frames: Sequence[Frame]) -> Part:
        """The means over the frames."""

        def mean(values: Sequence[float | None]) -> float | None:
            given = [value for value in values if value is not None]
            return float(np.mean(given)) if given else None

        return Part(
            len(frames),
            mean([frame.right for frame in frames]),
            mean([frame.agrees for frame in frames]),
            mean([rate for frame in frames for rate in frame.spike_rates.values()]),
            mean([frame.synaptic_operations for frame in frames]),
            mean([frame.energy_ratio for frame in frames]),
        )


@dataclass(frozen=True)
class StreamEvaluation:
    """What `evaluate_stream` measured.

    Attributes:
        n_steps: of each frame.
        ann_accuracy: of the trained model, which sees each sample by itself.
        relative_error: ||snn - ann|| / ||ann|| over the outputs of all frames; None without the trained model.
        frames: one for each sample, in their order.
        notes: what makes the numbers say less than they seem to.
    """

    n_steps: int
    ann_accuracy: float | None
    relative_error: float | None
    frames: Sequence[Frame]
    notes: Sequence[str] = ()

    @property
    def parts(self) -> dict[str, Part]:
        """The first frame, which begins at rest, those after it, and all."""
        parts = {"first": self.frames[:1], "later": self.frames[1:], "all": self.frames}
        return {name: Part.of(frames) for name, frames in parts.items() if frames}

    def summary(self) -> dict[str, Any]:
        """Everything measured, ready for JSON."""
        return {
            "stream": True,
            "n_steps": self.n_steps,
            "ann": {"accuracy": self.ann_accuracy},
            "relative_error": self.relative_error,
            "parts": {name: asdict(part) for name, part in self.parts.items()},
            "frames": [asdict(frame) for frame in self.frames],
            "notes": list(self.notes),
        }


def evaluate_stream(
    spiking: SpikingModel,
    samples: Samples,
    n_steps: int | None = None,
    *,
    against: Ann | None = None,
    backend: str = "native",
    provider: str = "cpu",
    provider_options: ProviderOptions | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> StreamEvaluation:
    """Runs the samples as one stream, each for `n_steps` steps, and reads the outputs off after each.

    Args:
        spiking: the model.
        samples: with or without labels, in the order of the stream.
        n_steps: of each sample; default: the file's.
        against: the trained model.
        backend, provider, provider_options, threads: as for `snn_ops.Session`.
        progress: called with samples done and their number.

    Raises:
        RefusedError: the file was not made for streaming; n_steps below 1; what `snn_ops.Session` does not take.
    """
    steps = spiking.n_steps if n_steps is None else n_steps
    check_steps(steps)
    if not spiking.metadata.states:
        raise RefusedError("it was not made for streams; convert it with --streaming", file=spiking.path)
    try:
        session = Session(
            with_rates(spiking.proto),
            backend=backend,
            provider=provider,
            provider_options=provider_options,
            threads=threads,
            libraries=spiking.libraries,
        )
        stream = session.stream()
    except RUNTIME_ERRORS as error:
        raise spiking.refusal(error) from error
    names = [name for name in session.output_names if not name.endswith(RATE_SUFFIX)]
    trained = start_quietly(against.model, threads=threads) if against is not None else None
    slots = {node.name: _slots(node) for node in spiking.proto.graph.node}
    score, work, frames = Score(1, samples.labels is not None, trained is not None), _Work(spiking, steps), []
    notes: list[str] = []
    for index in range(len(samples)):
        frame, label = samples.take(slice(index, index + 1)), None
        rates: dict[str, float] = {}
        for done in range(0, steps, session.rows):
            count = min(session.rows, steps - done)
            found = dict(zip(session.output_names, stream.run(frame.feed, count), strict=True))
            for name in found.keys() - set(names):
                node = name.removesuffix(RATE_SUFFIX)
                rates[node] = rates.get(node, 0.0) + float(found[name]) * slots[node] * count / steps
        outputs = {name: found[name] for name in names}
        if not index and (strange := strange_labels(samples.labels, outputs[names[0]])):
            notes.append(strange)
        reference = trained.run(names, frame.feed) if trained is not None else None
        if frame.labels is not None:
            label = frame.labels
        score.add({name: array[None] for name, array in outputs.items()}, reference, label)
        frames.append(work.frame(_same(outputs[names[0]], label), _agrees(outputs[names[0]], reference), rates))
        progress(index + 1, len(samples))
    return StreamEvaluation(steps, score.ann_accuracy(), score.result(0, steps).relative_error, frames, notes)


def _slots(node: onnx.NodeProto) -> int:
    """In how many parts of a step spikes are counted: in the two-phase schedule a step has several."""
    differential = node.op_type == "MultiThreshold"
    return next((a.i for a in node.attribute if differential and a.name == "max_spikes"), 1)


def _same(output: np.ndarray, label: np.ndarray | None) -> bool | None:
    predicted = classes_of(output, 1)
    return None if predicted is None or label is None else bool((predicted == label).all())


def _agrees(output: np.ndarray, reference: Sequence[np.ndarray] | None) -> bool | None:
    return None if reference is None else _same(output, classes_of(reference[0], 1))


class _Work:
    """From spikes to additions, by the additions that the file counted for so many spikes of each layer."""

    def __init__(self, spiking: SpikingModel, n_steps: int) -> None:
        metadata = spiking.metadata
        self._of_rate: dict[str, float] = {}
        for layer in metadata.layers:
            rate, operations = layer.get("spike_rate"), layer.get("synaptic_operations")
            if operations is not None and (rate or not operations):
                of_rate = operations / (rate * metadata.n_steps) * n_steps if rate else 0.0
                name = str(layer.get("name"))
                for node in (
                    name,
                    f"{name}_{layer.get('neuron')}",
                ):  # as the rate and the delta code call their neurons
                    self._of_rate[node] = of_rate
        self._totals = known(WorkTotals, metadata.work, "work") if metadata.work else None
        self._n_steps, self._of_file = n_steps, metadata.n_steps

    def frame(self, right: bool | None, agrees: bool | None, rates: dict[str, float]) -> Frame:
        """A frame with these spikes."""
        if self._totals is None or not rates.keys() <= self._of_rate.keys():
            return Frame(right, agrees, rates, None, None)
        operations = sum(self._of_rate[name] * rate for name, rate in rates.items())
        spent = operations * PICOJOULE_PER_ADDITION + self._products(self._totals) * PICOJOULE_PER_MULTIPLY_ADD
        trained = self._totals.multiply_adds * PICOJOULE_PER_MULTIPLY_ADD
        return Frame(right, agrees, rates, operations, spent / trained if trained else None)

    def _products(self, totals: WorkTotals) -> float:
        """Multiply-adds that stay, in these steps: some layers run once, others in every step."""
        if totals.executed is None or self._of_file == 1:
            return totals.analog
        return totals.analog + (totals.executed - totals.analog) / (self._of_file - 1) * (self._n_steps - 1)
