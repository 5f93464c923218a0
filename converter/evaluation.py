"""How well a spiking model does, over the number of steps, from one simulation."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from converter.data import InputSpec, Samples
from converter.errors import RefusedError
from converter.instruments import RATE_SUFFIX, tail_of, with_rates, with_readout
from converter.model import Ann, read_proto
from converter.runtime import Feed, batches, brief, session
from snn_ops.format import DOMAIN
from snn_ops.session import Session


@dataclass(frozen=True)
class OutputError:
    """One output against the trained model's: ||snn - ann|| / ||ann||, and the cosine between both."""

    relative_error: float | None
    cosine: float | None


@dataclass(frozen=True)
class StepResult:
    """The model after `n_steps` steps.

    Attributes:
        accuracy: share of samples whose largest score is the label's; None without labels. The first output tells: scores, or
            the number of the class itself, as classifiers of scikit-learn give it.
        agreement: share whose largest score is that of the trained model; None without it or with one score only.
        relative_error: ||snn - ann|| / ||ann|| over the outputs of all samples; None without the trained model.
        outputs: the same and the cosine, output by output.
    """

    n_steps: int
    accuracy: float | None
    agreement: float | None
    relative_error: float | None
    outputs: dict[str, OutputError] = field(default_factory=dict)


@dataclass
class Evaluation:
    """What `evaluate` measured."""

    samples: int
    ann_accuracy: float | None
    steps: list[StepResult]
    spike_rates: dict[str, float] = field(default_factory=dict)
    """Share of neuron-steps with a spike, by layer, over the longest run."""

    def summary(self) -> dict[str, Any]:
        """Everything measured, ready for JSON."""
        return {
            "samples": self.samples,
            "ann": {"accuracy": self.ann_accuracy},
            "steps": [asdict(step) for step in self.steps],
            "spike_rates": self.spike_rates,
        }


class SpikingModel:
    """A `.snn.onnx` file that was read and checked.

    Args:
        path: the file.
        proto: what is in it, if that is known already.

    Raises:
        RefusedError: not readable, or not a spiking model.
    """

    def __init__(self, path: str | Path, proto: onnx.ModelProto | None = None) -> None:
        self.path = Path(path)
        self.proto = read_proto(self.path) if proto is None else proto
        if all(opset.domain != DOMAIN for opset in self.proto.opset_import):
            raise RefusedError("this is not a spiking model; make one with `onnx-snn convert`", file=self.path)
        self.metadata = {entry.key: entry.value for entry in self.proto.metadata_props}

    @property
    def n_steps(self) -> int:
        """The number of steps it was made for."""
        return int(self.metadata.get("onnx_snn.n_steps", "1"))

    @property
    def schedule(self) -> str:
        """ "stepped" or "two-phase"."""
        return self.metadata.get("onnx_snn.schedule", "stepped")

    @property
    def inputs(self) -> list[InputSpec]:
        """Its inputs, without `n_steps`."""
        defaults = {tensor.name for tensor in self.proto.graph.initializer}
        model = ir.from_proto(self.proto)
        return [InputSpec.of(value) for value in model.graph.inputs if value.name not in defaults]

    def session(self, **options: Any) -> Session:
        """Runs it; see `snn_ops.Session`.

        Raises:
            RefusedError: ONNX Runtime cannot load it.
        """
        try:
            return Session(self.proto, **options)
        except (RuntimeError, ValueError) as error:
            raise RefusedError(brief(error), file=self.path) from error

    def source(self) -> Path | None:
        """The trained model's file, if it lies beside this one or in the current folder and is still the same."""
        name, digest = self.metadata.get("onnx_snn.source"), self.metadata.get("onnx_snn.source_sha256")
        for folder in (self.path.parent, Path()):
            candidate = folder / name if name else None
            if candidate is not None and candidate.is_file() and _sha256(candidate) == digest:
                return candidate
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def evaluate(
    spiking: SpikingModel,
    samples: Samples,
    steps: Sequence[int],
    *,
    ann: Ann | None = None,
    backend: str = "native",
    provider: str = "cpu",
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Evaluation:
    """Runs the samples once, for the largest number of steps, and reads the outputs off after each of `steps`.

    Args:
        spiking: the model.
        samples: with or without labels.
        steps: numbers of time steps, each at least 1.
        ann: the trained model, for agreement and error.
        backend, provider, threads: as for `snn_ops.Session`.
        progress: called with samples done and their number.

    Raises:
        RefusedError: no steps, or a number below 1.
    """
    steps = sorted(set(steps))
    if not steps or steps[0] < 1:
        raise RefusedError(f"the number of steps must be at least 1, it is {steps[0] if steps else 'missing'}")
    simulation = _TwoPhase if spiking.schedule == "two-phase" else _Stepped
    simulate = simulation(spiking.proto, steps, backend=backend, provider=provider, threads=threads)
    trained = session(ann.model, threads=threads) if ann is not None else None
    score = _Score(len(steps), samples.labels is not None, trained is not None)
    rates: dict[str, list[float]] = {}
    weights: list[int] = []
    done = 0
    for part in batches(samples.feed, max(1, simulate.rows // steps[-1])):
        count = len(next(iter(part.values())))
        readout, part_rates = simulate(part)
        reference = trained.run(list(readout), part) if trained is not None else None
        labels = samples.labels[done : done + count] if samples.labels is not None else None
        score.add(readout, reference, labels)
        for name, rate in part_rates.items():
            rates.setdefault(name, []).append(rate)
        weights.append(count)
        done += count
        progress(done, len(samples))
    return Evaluation(
        len(samples),
        score.ann_accuracy(),
        [score.result(index, n_steps) for index, n_steps in enumerate(steps)],
        {name: float(np.average(values, weights=weights)) for name, values in rates.items()},
    )


class _Simulation:
    """Runs a batch and returns its outputs after each of `steps`, ``[steps, samples, ...]``, and spike rates by layer."""

    def __init__(self, proto: onnx.ModelProto, steps: Sequence[int], **options: Any) -> None:
        self._steps = steps
        self._session = Session(proto, **options)

    @property
    def rows(self) -> int:
        """Samples times steps to run at once."""
        return self._session.rows

    def _run(self, part: Feed, n_steps: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        arrays = dict(zip(self._session.output_names, self._session.run_batch(part, n_steps), strict=True))
        rates = {name: float(arrays.pop(name)) for name in list(arrays) if name.endswith(RATE_SUFFIX)}
        return arrays, {name.removesuffix(RATE_SUFFIX): rate for name, rate in rates.items()}


class _Stepped(_Simulation):
    """One run for all numbers of steps; what lies behind the neurons runs for each of them."""

    def __init__(
        self, proto: onnx.ModelProto, steps: Sequence[int], *, provider: str, threads: int | None, **options: Any
    ) -> None:
        before, self._same = with_readout(proto, steps)
        super().__init__(before, steps, provider=provider, threads=threads, **options)
        found = {output.name: output.type for output in self._session.ort.get_outputs()}
        tail = tail_of(proto, found)
        self._tail = session(tail, provider=provider, threads=threads) if tail is not None else None
        self._tail_outputs = [output.name for output in self._tail.get_outputs()] if self._tail else []
        self._outputs = [o.name for o in proto.graph.output if o.name in (*found, *self._tail_outputs)]

    def __call__(self, part: Feed) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        arrays, rates = self._run(part, self._steps[-1])
        found = [self._behind(arrays, index) for index in range(len(self._steps))]
        return {name: np.stack([outputs[name] for outputs in found]) for name in self._outputs}, rates

    def _behind(self, arrays: Mapping[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
        """The outputs after the index-th number of steps."""
        now = {name: array if name in self._same else array[index] for name, array in arrays.items()}
        if self._tail is None:
            return now
        feed = {value.name: now[value.name] for value in self._tail.get_inputs()}
        return now | dict(zip(self._tail_outputs, self._tail.run(self._tail_outputs, feed), strict=True))


class _TwoPhase(_Simulation):
    """A run for each number of steps: a layer begins to fire when the layer before it has finished."""

    def __init__(self, proto: onnx.ModelProto, steps: Sequence[int], **options: Any) -> None:
        super().__init__(with_rates(proto), steps, **options)

    def __call__(self, part: Feed) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        runs = [self._run(part, n_steps) for n_steps in self._steps]
        return {name: np.stack([arrays[name] for arrays, _ in runs]) for name in runs[0][0]}, runs[-1][1]


def seconds_per_sample(session: Session, samples: Samples, *, repeats: int = 5) -> float:
    """The median time of `repeats` runs, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        session.run(samples.feed)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / len(samples)


class _Score:
    """Counts hits and errors over batches."""

    def __init__(self, steps: int, labelled: bool, against: bool) -> None:
        self._steps, self._labelled, self._against = steps, labelled, against
        self._samples = 0
        self._ann_hits = 0
        self._hits, self._agreements = np.zeros(steps), np.zeros(steps)
        self._sums: dict[str, _Sums] = {}
        self._tells_classes = True

    def add(
        self, readout: Mapping[str, np.ndarray], reference: Sequence[np.ndarray] | None, labels: np.ndarray | None
    ) -> None:
        """A batch: ``readout`` [steps, samples, ...] by output, and the trained model's outputs."""
        first = next(iter(readout.values()))
        self._samples += first.shape[1]
        predicted = _classes(first, 2)
        self._tells_classes &= predicted is not None
        if predicted is not None:
            if labels is not None:
                self._hits += (predicted == labels).sum(axis=1)
            expected = _classes(reference[0], 1) if reference is not None else None
            if expected is not None:
                self._agreements += (predicted == expected).sum(axis=1)
                if labels is not None:
                    self._ann_hits += int((expected == labels).sum())
        for (name, mine), theirs in zip(readout.items(), reference or [], strict=False):
            if np.issubdtype(theirs.dtype, np.floating):
                self._sums.setdefault(name, _Sums(self._steps)).add(mine, theirs.reshape(mine.shape[1:]))

    def ann_accuracy(self) -> float | None:
        """Of the trained model."""
        return self._ann_hits / self._samples if self._tells_classes and self._labelled and self._against else None

    def result(self, index: int, n_steps: int) -> StepResult:
        """Of the spiking model after the index-th number of steps."""
        error = sum(sums.error[index] for sums in self._sums.values())
        power = sum(sums.power for sums in self._sums.values())
        return StepResult(
            n_steps,
            float(self._hits[index] / self._samples) if self._tells_classes and self._labelled else None,
            float(self._agreements[index] / self._samples) if self._tells_classes and self._against else None,
            float(np.sqrt(error / power)) if power else None,
            {name: sums.result(index) for name, sums in self._sums.items()},
        )


def _classes(output: np.ndarray, axes: int) -> np.ndarray | None:
    """Class numbers, from class numbers or from scores for each class behind the first `axes` axes; None from anything else."""
    lengths = output.shape[axes:]
    size = int(np.prod(lengths))
    if size == 1 and np.issubdtype(output.dtype, np.integer):
        return output.reshape(output.shape[:axes])
    if size == 1 or size != max(lengths):
        return None
    classes: np.ndarray = output.reshape(*output.shape[:axes], -1).argmax(axis=axes)
    return classes


class _Sums:
    """Sums of squares and products of one output."""

    def __init__(self, steps: int) -> None:
        self.error, self._own, self._product = np.zeros(steps), np.zeros(steps), np.zeros(steps)
        self.power = 0.0

    def add(self, mine: np.ndarray, theirs: np.ndarray) -> None:
        """``mine`` [steps, samples, ...], ``theirs`` [samples, ...]."""
        expected = theirs.astype(np.float64).reshape(-1)
        rows = mine.astype(np.float64).reshape(len(mine), -1)
        self.error += ((rows - expected) ** 2).sum(axis=1)
        self._own += (rows**2).sum(axis=1)
        self._product += rows @ expected
        self.power += float((expected**2).sum())

    def result(self, index: int) -> OutputError:
        """After the index-th number of steps."""
        lengths = float(np.sqrt(self._own[index] * self.power))
        return OutputError(
            float(np.sqrt(self.error[index] / self.power)) if self.power else None,
            float(self._product[index] / lengths) if lengths else None,
        )
