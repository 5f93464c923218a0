"""How well a spiking model does, over the number of steps, from one simulation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from converter.engine.local import Engine, in_order
from converter.errors import RefusedError
from converter.graph.build import to_proto
from converter.graph.run import RUNTIME_ERRORS, batches, start_quietly
from converter.io.preprocess import Preprocessing
from converter.io.samples import InputSpec, Samples, strict_blocks
from converter.io.shards import Data, Shard
from converter.measure.scores import Score, StepResult, strange_labels
from converter.measure.simulation import Simulation, SteppedSimulation, TwoPhaseSimulation
from converter.normalise.ann import Ann
from converter.spiking.model import SpikingModel
from snn_ops.format import FormatError
from snn_ops.provider import ProviderOptions
from snn_ops.session import usual_rows


@dataclass
class Evaluation:
    """What `evaluate` measured."""

    samples: int
    ann_accuracy: float | None
    steps: list[StepResult]
    spike_rates: dict[str, float] = field(default_factory=dict)
    """Spikes per neuron and step, by layer, over the longest run."""
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    """Those of each neuron in that run, per sample, ``[1, ...]``, by layer."""
    notes: list[str] = field(default_factory=list)
    """What makes these numbers say less than they seem to."""

    def summary(self) -> dict[str, Any]:
        """Everything measured, ready for JSON."""
        return {
            "samples": self.samples,
            "ann": {"accuracy": self.ann_accuracy},
            "steps": [asdict(step) for step in self.steps],
            "spike_rates": self.spike_rates,
            "notes": self.notes,
        }


STEPS = {"rate": (4, 8, 16, 32), "delta": (1, 2, 3, 4, 6, 8)}
"""Numbers of steps that are worth a look, by code."""


def usual_steps(spiking: SpikingModel) -> list[int]:
    """Numbers of steps to evaluate where nobody says: those of its code, and its own; of a layer's slots its own only.

    Raises:
        RefusedError: the file's metadata are damaged in what tells its steps.
    """
    if spiking.code == "delta" and spiking.schedule == "two-phase":
        return [spiking.n_steps]
    return sorted({*STEPS[spiking.code], spiking.n_steps})


def evaluate(
    spiking: SpikingModel,
    samples: Samples,
    steps: Sequence[int],
    *,
    against: Ann | None = None,
    backend: str = "native",
    provider: str = "cpu",
    provider_options: ProviderOptions | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    ann: Ann | None = None,
) -> Evaluation:
    """Runs the samples once, for the largest number of steps, and reads the outputs off after each of `steps`.

    Args:
        spiking: the model.
        samples: with or without labels.
        steps: numbers of time steps, each at least 1.
        against: the trained model, for agreement and error.
        backend: whose operators run, as for `snn_ops.Session`.
        provider: "cpu" or "cuda".
        provider_options: of ONNX Runtime's CUDA provider.
        threads: ONNX Runtime's.
        progress: called with samples done and their number.
        ann: the old name of `against`.

    Raises:
        RefusedError: no steps, or a number below 1; what `snn_ops.Session` does not take.
    """
    if ann is not None:
        warnings.warn("evaluate(ann=...) is now called evaluate(against=...)", DeprecationWarning, stacklevel=2)
        against = ann
    job = _job(spiking, steps, backend, provider, provider_options, threads)
    job = replace(job, trained=None if against is None else against.model)
    part = job.started()(samples, lambda done: progress(done, len(samples)))
    return _told(job.steps, [part], len(samples))


def evaluate_data(
    spiking: SpikingModel,
    data: Data,
    steps: Sequence[int],
    *,
    inputs: Sequence[InputSpec],
    engine: Engine,
    against: Ann | None = None,
    preprocess: Preprocessing | None = None,
    backend: str = "native",
    provider: str = "cpu",
    provider_options: ProviderOptions | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Evaluation:
    """The same for data of any size: each shard is a piece of work, and what was counted is added in the order of the shards.

    So the result is the same on every engine, to the last bit.

    Args:
        spiking: the model.
        data: from `converter.io.shards.find`.
        steps: numbers of time steps, each at least 1.
        inputs: of the model, with the shape that samples have.
        engine: where to work.
        against, backend, provider, provider_options, threads: as for `evaluate`.
        preprocess: for pictures and sound.
        progress: called with samples done and their number.

    Raises:
        RefusedError: as `evaluate`; or a sample cannot be read.
    """
    job = _job(spiking, steps, backend, provider, provider_options, threads)
    trained = None if against is None else to_proto(against.model)
    job = replace(job, trained=trained, inputs=tuple(inputs), preprocess=preprocess)
    parts, done = [], 0
    for part in in_order(engine.map(job, data.shards)):
        parts.append(part)
        done += part.samples
        progress(done, max(done, data.count or 0))
    if not done:
        raise RefusedError("it holds no samples", file=data.text)
    return _told(job.steps, parts, done)


@dataclass
class _Part:
    """What was counted on some samples."""

    score: Score
    not_numbers: np.ndarray
    samples: int = 0
    totals: dict[str, np.ndarray] = field(default_factory=dict)
    labels: tuple[int, int] | None = None
    """The lowest and the highest."""
    first: np.ndarray | None = None
    """The first output of a sample."""

    def merge(self, later: _Part) -> None:
        """Adds what was counted on samples after these."""
        if not later.samples:
            return
        self.score.merge(later.score)
        self.not_numbers |= later.not_numbers
        self.samples += later.samples
        for name, total in later.totals.items():
            self.totals[name] = self.totals.get(name, np.zeros(())) + total
        if self.labels is not None and later.labels is not None:
            self.labels = (min(self.labels[0], later.labels[0]), max(self.labels[1], later.labels[1]))
        self.first = later.first if self.first is None else self.first


@dataclass(frozen=True)
class _Job:
    """All that a worker needs; called once in each process."""

    path: str
    proto: onnx.ModelProto
    two_phase: bool
    steps: tuple[int, ...]
    session: dict[str, Any]
    batch: int
    trained: ir.Model | onnx.ModelProto | None = None
    inputs: tuple[InputSpec, ...] = ()
    preprocess: Preprocessing | None = None

    def __call__(self) -> Callable[[Shard], _Part]:
        """Starts the sessions."""
        rows = self.started()

        def shard_part(shard: Shard) -> _Part:
            whole: _Part | None = None
            for samples in strict_blocks(shard, self.inputs, self.preprocess, self.batch):
                part = rows(samples, lambda done: None)
                if whole is None:
                    whole = part
                else:
                    whole.merge(part)
            return whole or _Part(
                Score(len(self.steps), True, self.trained is not None), np.zeros(len(self.steps), bool)
            )

        return shard_part

    def started(self) -> _Rows:
        """The sessions.

        Raises:
            RefusedError: ONNX Runtime cannot load a model.
        """
        try:
            return _Rows(self)
        except RUNTIME_ERRORS as error:
            raise SpikingModel(self.path, self.proto).refusal(error) from error


class _Rows:
    """Runs samples, and counts."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        simulation = TwoPhaseSimulation if job.two_phase else SteppedSimulation
        self._simulate: Simulation = simulation(job.proto, job.steps, **job.session)
        threads = job.session["threads"]
        self._trained = start_quietly(job.trained, threads=threads) if job.trained is not None else None

    def __call__(self, samples: Samples, progress: Callable[[int], None]) -> _Part:
        """What these samples give."""
        steps, trained = len(self._job.steps), self._trained
        part = _Part(Score(steps, samples.labels is not None, trained is not None), np.zeros(steps, bool))
        if samples.labels is not None:
            part.labels = (int(samples.labels.min()), int(samples.labels.max()))
        for batch in batches(samples.feed, self._job.batch):
            count = len(next(iter(batch.values())))
            readout, spikes = self._simulate(batch)
            if not readout:
                raise RefusedError(
                    "it has no output, or none but its states: nothing can be evaluated", file=self._job.path
                )
            if part.first is None:
                part.first = next(iter(readout.values()))[0][:1]
            reference = trained.run(list(readout), batch) if trained is not None else None
            done = part.samples
            labels = samples.labels[done : done + count] if samples.labels is not None else None
            part.score.add(readout, reference, labels)
            for mine, theirs in zip(readout.values(), reference or [], strict=False):
                if theirs.dtype.kind == "f":
                    bad = np.isnan(mine) & ~np.isnan(theirs.reshape(mine.shape[1:]))
                    part.not_numbers |= bad.any(axis=tuple(range(1, bad.ndim)))
            for name, counted in spikes.items():
                part.totals[name] = part.totals.get(name, np.zeros(())) + counted.astype(np.float64)
            part.samples += count
            progress(part.samples)
        return part


def _job(
    spiking: SpikingModel,
    steps: Sequence[int],
    backend: str,
    provider: str,
    provider_options: ProviderOptions | None,
    threads: int | None,
) -> _Job:
    """The work, checked.

    Raises:
        RefusedError: no steps, or a number below 1; the file's metadata are damaged in what tells how much runs at once.
    """
    steps = sorted(set(steps))
    if not steps or steps[0] < 1:
        raise RefusedError(f"the number of steps must be at least 1, it is {steps[0] if steps else 'missing'}")
    session = {
        "backend": backend,
        "provider": provider,
        "provider_options": provider_options,
        "threads": threads,
        "libraries": spiking.libraries,
    }
    try:
        batch = max(1, usual_rows(spiking.metadata.row_bytes, provider) // steps[-1])
    except FormatError as error:
        raise spiking.refusal(error) from error
    return _Job(str(spiking.path), spiking.proto, spiking.schedule == "two-phase", tuple(steps), session, batch)


def _told(steps: Sequence[int], parts: Sequence[_Part], samples: int) -> Evaluation:
    """What was counted, as an evaluation."""
    whole = parts[0]
    for part in parts[1:]:
        whole.merge(part)
    notes = []
    if whole.labels is not None and whole.first is not None:
        strange = strange_labels(np.asarray(whole.labels), whole.first)
        notes += [strange] if strange else []
    if whole.not_numbers.any():
        after = ", ".join(str(n_steps) for n_steps, bad in zip(steps, whole.not_numbers, strict=True) if bad)
        notes.append(
            f"after {after} steps, outputs are not numbers where the trained model's are: a value is divided by its own norm "
            "or sum, and is 0 until a spike comes; take more steps"
        )
    totals = whole.totals
    return Evaluation(
        samples,
        whole.score.ann_accuracy(),
        [whole.score.result(index, n_steps) for index, n_steps in enumerate(steps)],
        {name: float(total.sum()) / max(1, total.size) / steps[-1] / samples for name, total in totals.items()},
        {name: total / samples for name, total in totals.items()},
        notes,
    )
