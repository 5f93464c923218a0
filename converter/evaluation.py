"""How well a spiking model does, over the number of steps, from one simulation."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.data import InputSpec, Samples
from converter.errors import RefusedError
from converter.graph import add_functions, constant, operator_node, to_proto
from converter.model import Ann, read_proto
from converter.passes.regions import find_regions, runs_through_time
from converter.runtime import batches, brief, session
from snn_ops.ops import DOMAIN, OPSET_VERSION
from snn_ops.session import N_STEPS, ROWS, Session

RATE_SUFFIX = "_spike_rate"
SPIKING = frozenset({"IF", "LIF", "SigmaDelta"})
"""Operators whose outputs are spikes."""


@dataclass(frozen=True)
class StepResult:
    """The model after `n_steps` steps.

    Attributes:
        accuracy: share of samples whose largest output is the label; None without labels.
        agreement: share whose largest output is that of the trained model; None without it or with one output only.
        relative_error: ||snn - ann|| / ||ann|| over the outputs of all samples; None without the trained model.
    """

    n_steps: int
    accuracy: float | None
    agreement: float | None
    relative_error: float | None


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

    Raises:
        RefusedError: not readable, or not a spiking model.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.proto = read_proto(self.path)
        if all(opset.domain != DOMAIN for opset in self.proto.opset_import):
            raise RefusedError("this is not a spiking model; make one with `onnx-snn convert`", file=self.path)
        self.metadata = {entry.key: entry.value for entry in self.proto.metadata_props}

    @property
    def n_steps(self) -> int:
        """The number of steps it was made for."""
        return int(self.metadata.get("onnx_snn.n_steps", "1"))

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
    probe = with_readout(spiking.proto, steps)
    runner = Session(probe, backend=backend, provider=provider, threads=threads)
    outputs = [name for name in runner.output_names if not name.endswith(RATE_SUFFIX)]
    trained = session(ann.model, threads=threads) if ann is not None else None
    score = _Score(len(steps), samples.labels is not None, trained is not None)
    rates: dict[str, list[float]] = {}
    weights: list[int] = []
    done = 0
    for part in batches(samples.feed, max(1, ROWS // steps[-1])):
        count = len(next(iter(part.values())))
        arrays = dict(zip(runner.output_names, runner.run_batch(part, steps[-1]), strict=True))
        reference = trained.run(outputs, part) if trained is not None else None
        labels = samples.labels[done : done + count] if samples.labels is not None else None
        readout = [arrays[name].reshape(len(steps), count, *arrays[name].shape[1:]) for name in outputs]
        score.add(readout, reference, labels)
        for name, array in arrays.items():
            if name.endswith(RATE_SUFFIX):
                rates.setdefault(name.removesuffix(RATE_SUFFIX), []).append(float(array))
        weights.append(count)
        done += count
        progress(done, len(samples))
    return Evaluation(
        len(samples),
        score.ann_accuracy(),
        [score.result(index, n_steps) for index, n_steps in enumerate(steps)],
        {name: float(np.average(values, weights=weights)) for name, values in rates.items()},
    )


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
        self._labelled, self._against = labelled, against
        self._samples = 0
        self._ann_hits = 0
        self._hits, self._agreements = np.zeros(steps), np.zeros(steps)
        self._error, self._power = np.zeros(steps), 0.0
        self._classes = True

    def add(self, readout: list[np.ndarray], reference: list[np.ndarray] | None, labels: np.ndarray | None) -> None:
        """A batch: ``readout`` [steps, samples, ...] per output."""
        first = readout[0]
        self._samples += first.shape[1]
        self._classes &= first.ndim == 3 and first.shape[2] > 1
        if self._classes:
            predicted = first.argmax(axis=2)
            if labels is not None:
                self._hits += (predicted == labels).sum(axis=1)
            if reference is not None:
                expected = reference[0].reshape(first.shape[1], -1).argmax(axis=1)
                self._agreements += (predicted == expected).sum(axis=1)
                if labels is not None:
                    self._ann_hits += int((expected == labels).sum())
        for mine, theirs in zip(readout, reference or [], strict=False):
            difference = mine.astype(np.float64) - theirs.reshape(mine.shape[1:])
            self._error += (difference**2).reshape(len(mine), -1).sum(axis=1)
            self._power += float((theirs.astype(np.float64) ** 2).sum())

    def ann_accuracy(self) -> float | None:
        """Of the trained model."""
        return self._ann_hits / self._samples if self._classes and self._labelled and self._against else None

    def result(self, index: int, n_steps: int) -> StepResult:
        """Of the spiking model after the index-th number of steps."""
        return StepResult(
            n_steps,
            float(self._hits[index] / self._samples) if self._classes and self._labelled else None,
            float(self._agreements[index] / self._samples) if self._classes and self._against else None,
            float(np.sqrt(self._error[index] / self._power)) if self._against and self._power else None,
        )


def with_readout(proto: Any, steps: Sequence[int]) -> Any:
    """The model with its outputs after each of `steps`, and a spike rate for each layer as further outputs.

    TimeMean becomes RunningMean and a choice of steps, so the tail runs on ``[K*B, ...]`` for K numbers of steps, steps
    first. What reaches the tail without passing a neuron is repeated K times.
    """
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    regions = find_regions(model)
    _add_spike_rates(graph)
    by_samples = _depends_on_samples(graph)
    count = constant(graph, "readout_count", np.asarray(len(steps), np.int64))
    chosen = constant(graph, "readout_steps", np.asarray(steps, np.int64) - 1)
    repeated: dict[ir.Value, ir.Value] = {}
    for node in list(graph):
        if node.op_type == "TimeMean" and node.domain == DOMAIN:
            _read_out(graph, node, n_steps, chosen)
        elif node in regions.tail:
            for index, value in enumerate(node.inputs):
                if value is None or value not in by_samples or value.producer() in regions.tail | regions.temporal:
                    continue
                if value not in repeated:
                    repeated[value] = _repeat(graph, value, count)
                node.replace_input_with(index, repeated[value])
    for value in graph.outputs:
        value.shape = None if value.name and not value.name.endswith(RATE_SUFFIX) else value.shape
    add_functions(model)
    return to_proto(model)


def _read_out(graph: ir.Graph, mean: ir.Node, n_steps: ir.Value, chosen: ir.Value) -> None:
    """TimeMean(x) -> [K*B, ...]: the running mean, split into steps, those chosen, merged again."""
    x = mean.inputs[0]
    assert x is not None
    name = str(mean.name)
    uses = list(mean.outputs[0].uses())
    running = operator_node(graph, "RunningMean", f"{name}_running", x, n_steps)
    batch = ir.node("Shape", [mean.outputs[0]], {"start": 0}, name=f"{name}_shape")
    one = constant(graph, f"{name}_one", np.asarray([1], np.int64))
    steps = ir.node("Reshape", [n_steps, one], name=f"{name}_steps")
    through_time = ir.node("Concat", [steps.outputs[0], batch.outputs[0]], {"axis": 0}, name=f"{name}_time_shape")
    split = ir.node("Reshape", [running.outputs[0], through_time.outputs[0]], {"allowzero": 1}, name=f"{name}_split")
    pick = ir.node("Gather", [split.outputs[0], chosen], {"axis": 0}, name=f"{name}_chosen")
    rest = ir.node("Shape", [mean.outputs[0]], {"start": 1}, name=f"{name}_rest")
    minus_one = constant(graph, f"{name}_rows", np.asarray([-1], np.int64))
    merged = ir.node("Concat", [minus_one, rest.outputs[0]], {"axis": 0}, name=f"{name}_merged_shape")
    result = ir.node("Reshape", [pick.outputs[0], merged.outputs[0]], name=f"{name}_readout")
    new = [running, batch, steps, through_time, split, pick, rest, merged, result]
    graph.insert_after(mean, new)
    for user, index in uses:
        user.replace_input_with(index, result.outputs[0])
    for index, value in enumerate(graph.outputs):
        if value is mean.outputs[0]:
            result.outputs[0].name, value.name = value.name, f"{value.name}_last"
            result.outputs[0].type = value.type
            graph.outputs[index] = result.outputs[0]


def _repeat(graph: ir.Graph, value: ir.Value, count: ir.Value) -> ir.Value:
    node = ir.node("TimeRepeat", [value, count], domain=DOMAIN, version=OPSET_VERSION, name=f"{value.name}_for_readout")
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], node)
    else:
        graph.insert_after(producer, node)
    return node.outputs[0]


def _depends_on_samples(graph: ir.Graph) -> set[ir.Value]:
    """Values computed from the inputs, other than through a shape."""
    found = {value for value in graph.inputs if value.name != N_STEPS}
    for node in graph:
        if node.op_type not in ("Shape", "Size") and any(value in found for value in node.inputs):
            found.update(node.outputs)
    return found


def _add_spike_rates(graph: ir.Graph) -> None:
    """A scalar output per layer: the share of neuron-steps with a spike."""
    for node in list(graph):
        if not runs_through_time(node) or node.op_type not in SPIKING:
            continue
        spikes, name = node.outputs[0], f"{node.name}{RATE_SUFFIX}"
        as_bool = ir.node("Cast", [spikes], {"to": int(ir.DataType.BOOL)}, name=f"{name}_bool")
        as_float = ir.node("Cast", [as_bool.outputs[0]], {"to": int(ir.DataType.FLOAT)}, name=f"{name}_float")
        rate = ir.node("ReduceMean", [as_float.outputs[0]], {"keepdims": 0}, name=name)
        rate.outputs[0].name = name
        rate.outputs[0].type, rate.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape([])
        graph.insert_after(node, [as_bool, as_float, rate])
        graph.outputs.append(rate.outputs[0])
