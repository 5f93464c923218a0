"""How well a spiking model does as a stream: samples one after the other, without a reset between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.run import RUNTIME_ERRORS, start_quietly
from converter.io.samples import Samples
from converter.measure.instruments import SPIKES_SUFFIX, with_spike_counts
from converter.measure.scores import Score, classes_of, strange_labels
from converter.measure.totals import Following
from converter.measure.work_of_file import WorkOfFile
from converter.normalise.ann import Ann
from converter.options import check_steps
from converter.spiking.model import SpikingModel
from snn_ops.provider import ProviderOptions
from snn_ops.session import Session


@dataclass(frozen=True)
class Frame:
    """A sample in the stream.

    Attributes:
        right: its class is the label's; None without labels.
        agrees: its class is the trained model's; None without it.
        spike_rates: spikes per neuron and step, by layer.
        synaptic_operations: additions that its spikes cause, each spike as many as its own fan-out (`work_of_file`).
        energy_ratio: of these and the multiply-adds that stay, as a share of the trained model's; None where that has none.
    """

    right: bool | None
    agrees: bool | None
    spike_rates: dict[str, float]
    synaptic_operations: float
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
            with_spike_counts(spiking.proto),
            backend=backend,
            provider=provider,
            provider_options=provider_options,
            threads=threads,
            libraries=spiking.libraries,
        )
        stream = session.stream()
    except RUNTIME_ERRORS as error:
        raise spiking.refusal(error) from error
    names = [name for name in session.output_names if not name.endswith(SPIKES_SUFFIX)]
    trained = start_quietly(against.model, threads=threads) if against is not None else None
    at_once = 1 if any(map(_has_slots, spiking.proto.graph.node)) else session.rows
    work = WorkOfFile(spiking, samples.shapes_of_one)
    score, frames = Score(1, samples.labels is not None, trained is not None), []
    notes: list[str] = []
    for index in range(len(samples)):
        frame, label = samples.take(slice(index, index + 1)), None
        spikes: dict[str, np.ndarray] = {}
        for done in range(0, steps, at_once):
            found = dict(zip(session.output_names, stream.run(frame.feed, min(at_once, steps - done)), strict=True))
            for name in found.keys() - set(names):
                node = name.removesuffix(SPIKES_SUFFIX)
                spikes[node] = spikes.get(node, 0.0) + found[name].astype(np.float64)
        outputs = {name: found[name] for name in names}
        if not index and (strange := strange_labels(samples.labels, outputs[names[0]])):
            notes.append(strange)
        reference = trained.run(names, frame.feed) if trained is not None else None
        if frame.labels is not None:
            label = frame.labels
        score.add({name: array[None] for name, array in outputs.items()}, reference, label)
        cost = work.of(spikes, steps)
        frames.append(
            Frame(
                _same(outputs[names[0]], label),
                _agrees(outputs[names[0]], reference),
                {name: float(count.sum()) / max(1, count.size) / steps for name, count in spikes.items()},
                cost.synaptic_operations,
                cost.energy_ratio,
            )
        )
        progress(index + 1, len(samples))
    return StreamEvaluation(steps, score.ann_accuracy(), score.result(0, steps).relative_error, frames, notes)


FRAMES = 4
"""Samples one after the other on which a conversion is measured; the first of them only leaves its traces."""


def follow(proto: onnx.ModelProto, trained: ir.Model, samples: Samples, n_steps: int) -> Following:
    """How well a stream follows samples that change, as many streams at once as there are samples.

    Args:
        proto: the spiking model, made for streams.
        trained: the trained model, which sees each sample by itself.
        samples: each follows another one.
        n_steps: of each sample.
    """
    session, ann = Session(proto, n_steps=n_steps), start_quietly(trained)
    names = [output.name for output in ann.get_outputs()]
    score, stream = Score(1, labelled=False, against=True), session.stream()
    first, *others = samples.in_turn(FRAMES)
    stream.run(first.feed, n_steps)
    for frame in others:
        found = dict(zip(session.output_names, stream.run(frame.feed, n_steps), strict=True))
        score.add({name: found[name][None] for name in names}, ann.run(names, frame.feed), None)
    result = score.result(0, n_steps)
    return Following(len(others) * len(samples), result.agreement, result.relative_error)


def _has_slots(node: onnx.NodeProto) -> bool:
    """Whether a step of the node has slots for several spikes, as in the two-phase schedule; they are counted step by step."""
    return node.op_type == "MultiThreshold" and any(a.name == "max_spikes" and a.i > 1 for a in node.attribute)


def _same(output: np.ndarray, label: np.ndarray | None) -> bool | None:
    predicted = classes_of(output, 1)
    return None if predicted is None or label is None else bool((predicted == label).all())


def _agrees(output: np.ndarray, reference: Sequence[np.ndarray] | None) -> bool | None:
    return None if reference is None else _same(output, classes_of(reference[0], 1))
