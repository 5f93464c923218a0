"""How fast a spiking model is, beside the trained one: outputs first, then times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from converter.bench.cold_start import ColdStart, Task, cold_start
from converter.bench.machine import Machine, this_machine
from converter.bench.profile import Profile, profile
from converter.bench.rates import Rates, measure_rates
from converter.bench.runs import SPIKING, STREAM, TRAINED, Place, Run, run_of
from converter.bench.timing import SECONDS, Summary, Turn, measure, turn_of
from converter.errors import RefusedError, concerning
from converter.graph.run import RUNTIME_ERRORS, brief
from converter.graph.run import batches as pieces
from converter.io.files import write_npz
from converter.io.onnx_files import size_on_disk, write_model
from converter.io.progress import Progress, silent
from converter.io.samples import Samples, random_samples
from converter.measure.evaluation import Evaluation
from converter.measure.scores import Score
from converter.normalise.ann import Ann
from converter.normalise.frameworks import framework_of
from converter.options import check_steps
from converter.spiking.model import SpikingModel
from snn_ops.files import temporary_folder
from snn_ops.provider import ProviderOptions
from snn_ops.session import Session

BATCHES = (1, 32, 256)
PROCESSES = 3
"""That load each model anew; medians over them."""
_COMPARED = 256
"""Samples whose outputs are compared, if there are that many."""
_AT_ONCE = 32


@dataclass(frozen=True)
class Timing:
    """One system in one way to run it.

    Attributes:
        system: `SPIKING`, `STREAM` or `TRAINED`.
        n_steps: time steps of a call; None for the trained model.
        batch: samples of a call.
        threads: of ONNX Runtime; None: its own choice.
        latency: of a call.
        cold: what a process of its own needed.
        ratio: median latency over that of the trained model, with the same batch and threads; None without one.
    """

    system: str
    n_steps: int | None
    batch: int
    threads: int | None
    latency: Summary
    cold: ColdStart
    ratio: float | None

    @property
    def throughput(self) -> float:
        """Samples in a second, at the median."""
        return self.batch / self.latency.median


@dataclass(frozen=True)
class Benchmark:
    """What `benchmark` measured.

    Attributes:
        model, file_bytes: the spiking model.
        trained, trained_file_bytes: the trained one; None without one.
        schedule, backend, provider: of the spiking model.
        samples: how many different ones there were.
        random: they were random numbers from 0 to 1: a network that sees such may spike more or less than on real samples.
        outputs: of the spiking model beside the trained one, by number of steps; None without it and without labels.
        timings: a row for each system and way to run it.
        profiles: where the time goes, for each way to run the spiking model, where that was wanted.
        machine: what all was measured on.
    """

    model: str
    file_bytes: int
    trained: str | None
    trained_file_bytes: int | None
    schedule: str
    backend: str
    provider: str
    samples: int
    random: bool
    outputs: Evaluation | None
    timings: tuple[Timing, ...]
    profiles: tuple[Profile, ...]
    machine: Machine

    def summary(self) -> dict[str, Any]:
        """Everything measured, ready for JSON."""
        timings = [{**asdict(timing), "samples_per_second": timing.throughput} for timing in self.timings]
        return {
            **asdict(self),
            "outputs": self.outputs.summary() if self.outputs else None,
            "timings": timings,
            "profiles": [each.summary() for each in self.profiles],
        }


@dataclass(frozen=True)
class _Way:
    """One way to run one system."""

    system: str
    n_steps: int
    batch: int
    threads: int | None


def benchmark(
    spiking: SpikingModel,
    samples: Samples | None = None,
    *,
    against: Ann | None = None,
    batches: Sequence[int] = BATCHES,
    steps: Sequence[int] | None = None,
    threads: Sequence[int | None] = (None,),
    backend: str = "native",
    provider: str = "cpu",
    provider_options: ProviderOptions | None = None,
    profiles: bool = False,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> Benchmark:
    """Compares the outputs, then measures all ways to run both models in turns, and what a process of its own needs for each.

    Args:
        spiking: the model. One that was made for streaming also runs as a stream, a step a call.
        samples: fewer than a batch are repeated; None: random numbers from 0 to 1, always the same.
        against: the trained model. It runs in ONNX Runtime as it was loaded, before it was normalised.
        batches: samples of a call.
        steps: time steps; default: those the model was made for.
        threads: of ONNX Runtime, each at least 1; None: its own choice.
        backend: whose operators run, as for `snn_ops.Session`.
        provider: "cpu" or "cuda".
        provider_options: of ONNX Runtime's CUDA provider.
        profiles: also say where the time goes.
        seconds: to measure each way for.
        progress: called as "comparing outputs", "measuring", "starting processes" and "profiling".

    Raises:
        RefusedError: a number below 1; an input whose size or numbers cannot be guessed; the trained model has other inputs or
            outputs; profiles of a GPU; what `snn_ops.Session` does not take.
    """
    steps = list(dict.fromkeys(steps or [spiking.n_steps]))
    batches, threads = list(dict.fromkeys(batches)), list(dict.fromkeys(threads))
    _check(batches, steps, threads, profiles and provider != "cpu")
    if against is not None:
        _check_same(spiking, against)
    given = samples is not None
    if samples is None:
        with concerning(spiking.path):
            samples = random_samples(spiking.inputs, min(max(batches), _COMPARED))
    options = {key: str(value) for key, value in (provider_options or {}).items()} or None
    places = {each: Place(backend, provider, options, each) for each in threads}
    bench = _Bench(spiking, samples, against, places, progress)
    machine = this_machine()
    outputs = bench.compare(steps)
    ways = [_Way(SPIKING, n, batch, each) for each in threads for n in steps for batch in batches]
    if spiking.metadata.states:
        ways += [_Way(STREAM, 1, batch, each) for each in threads for batch in batches]
    if against is not None:
        ways += [_Way(TRAINED, 1, batch, each) for each in threads for batch in batches]
    latencies = bench.latencies(ways, seconds)
    cold = bench.cold_starts(ways)
    return Benchmark(
        str(spiking.path),
        size_on_disk(spiking.path),
        str(against.path) if against else None,
        size_on_disk(against.path) if against else None,
        spiking.schedule,
        backend,
        provider,
        len(samples),
        not given,
        outputs,
        tuple(_timing(way, latencies, cold[way]) for way in ways),
        tuple(bench.profiles([way for way in ways if way.system == SPIKING])) if profiles else (),
        machine,
    )


class _Bench:
    """Sessions, one for each model and number of threads, and what is measured with them."""

    def __init__(
        self,
        spiking: SpikingModel,
        samples: Samples,
        against: Ann | None,
        places: Mapping[int | None, Place],
        progress: Progress,
    ) -> None:
        self._spiking, self._samples, self._against = spiking, samples, against
        self._places, self._progress = places, progress
        self._sessions = {threads: spiking.session(**vars(place)) for threads, place in places.items()}
        self._trained: dict[int | None, Session] = {}
        if against is not None:
            with concerning(against.path):
                source = against.source.SerializeToString()
                self._trained = {threads: place.session(source, trained=True) for threads, place in places.items()}

    def _run(self, way: _Way) -> Run:
        sessions = self._trained if way.system == TRAINED else self._sessions
        fixed = self._against.batch if self._against and way.system == TRAINED else None
        return run_of(sessions[way.threads], way.system, way.n_steps, fixed)

    def _batch(self, size: int) -> dict[str, np.ndarray]:
        """The first samples, from the beginning again where there are not enough."""
        return self._samples.take(np.arange(size) % len(self._samples)).feed

    def compare(self, steps: Sequence[int]) -> Evaluation | None:
        """The outputs of both models."""
        samples = self._samples.first(_COMPARED)
        if self._against is None and samples.labels is None:
            return None
        first = next(iter(self._places))
        names = self._sessions[first].output_names
        score = Score(len(steps), samples.labels is not None, self._against is not None)
        runs = [self._run(_Way(SPIKING, n, 1, first)) for n in steps]
        trained = self._run(_Way(TRAINED, 1, 1, first)) if self._against else None
        done = 0
        for feed in pieces(samples.feed, _AT_ONCE):
            count = len(next(iter(feed.values())))
            with _running(self._spiking.path):
                found = [run(feed) for run in runs]
                reference = trained(feed) if trained else None
            self._check_shapes(names, found[0], reference)
            labels = samples.labels[done : done + count] if samples.labels is not None else None
            readout = {name: np.stack([outputs[i] for outputs in found]) for i, name in enumerate(names)}
            score.add(readout, reference, labels)
            done += count
            self._progress("comparing outputs", done, len(samples))
        results = [score.result(index, n_steps) for index, n_steps in enumerate(steps)]
        return Evaluation(len(samples), score.ann_accuracy(), results)

    def _check_shapes(
        self, names: Sequence[str], found: Sequence[np.ndarray], reference: Sequence[np.ndarray] | None
    ) -> None:
        for name, mine, theirs in zip(names, found, reference or [], strict=False):
            if mine.shape != theirs.shape and self._against:
                raise RefusedError(
                    f"this is not the model that became {self._spiking.path.name}: its output {name!r} has the shape "
                    f"{list(theirs.shape)}, not {list(mine.shape)}",
                    file=self._against.path,
                )

    def latencies(self, ways: Sequence[_Way], seconds: float) -> dict[_Way, Summary]:
        """All in turns."""
        turns: dict[_Way, Turn] = {}
        for way in ways:
            call: Callable[[], object] = partial(self._run(way), self._batch(way.batch))
            turns[way] = turn_of(call)
        with _running(self._spiking.path):
            return measure(turns, seconds=seconds, progress=self._progress)

    def cold_starts(self, ways: Sequence[_Way]) -> dict[_Way, ColdStart]:
        """In processes of their own."""
        found = {}
        with temporary_folder() as folder:
            for batch in {way.batch for way in ways}:
                write_npz(folder / f"{batch}.npz", self._batch(batch))
            trained = self._trained_file(folder)
            for done, way in enumerate(ways, 1):
                model = trained if way.system == TRAINED else self._spiking.path
                fixed = self._against.batch if self._against and way.system == TRAINED else None
                samples = str(folder / f"{way.batch}.npz")
                task = Task(str(model), samples, way.system, self._places[way.threads], way.n_steps, fixed)
                found[way] = cold_start(task, PROCESSES)
                self._progress("starting processes", done, len(ways))
        return found

    def _trained_file(self, folder: Path) -> Path | None:
        """The trained model as an ONNX file: its own, or one in the folder."""
        if self._against is None or framework_of(self._against.path) is None:
            return self._against.path if self._against else None
        write_model(self._against.source, folder / "trained.onnx")
        return folder / "trained.onnx"

    def profiles(self, ways: Sequence[_Way]) -> list[Profile]:
        """Where the time of these goes."""
        rates: dict[int | None, Rates] = {}
        found = []
        for done, way in enumerate(ways, 1):
            if way.threads not in rates:
                rates[way.threads] = measure_rates(way.threads)
            place, feed = self._places[way.threads], self._batch(way.batch)
            found.append(profile(self._spiking.proto, feed, place, way.n_steps, rates[way.threads]))
            self._progress("profiling", done, len(ways))
        return found


def _check(batches: Sequence[int], steps: Sequence[int], threads: Sequence[int | None], profiles_of_gpu: bool) -> None:
    for what, numbers in (("batch", batches), ("number of threads", [each for each in threads if each is not None])):
        if not batches or (numbers and min(numbers) < 1):
            raise RefusedError(f"the {what} must be at least 1, it is {min(numbers) if numbers else 'missing'}")
    check_steps(min(steps))
    if profiles_of_gpu:
        raise RefusedError(
            "ONNX Runtime's profiler sees when a GPU is given work, not when that is done; profile on the CPU, or "
            "with NVIDIA's Nsight Systems"
        )


def _check_same(spiking: SpikingModel, against: Ann) -> None:
    """Whether the trained model can be the one that was converted."""
    carried = {state["output"] for state in spiking.metadata.states}
    pairs = {
        "inputs": ([spec.name for spec in spiking.inputs], [spec.name for spec in against.input_specs]),
        "outputs": (
            [output.name for output in spiking.proto.graph.output if output.name not in carried],
            [str(output.name) for output in against.outputs],
        ),
    }
    turned = {*against.interface.added, *against.interface.moved}
    if turned:
        raise RefusedError(
            f"axis 0 of its {min(turned)!r} does not hold the samples; bench the spiking model alone", file=against.path
        )
    for what, (mine, theirs) in pairs.items():
        if mine != theirs:
            raise RefusedError(
                f"this is not the model that became {spiking.path.name}: its {what} are {theirs}, not {mine}",
                file=against.path,
            )


def _timing(way: _Way, latencies: Mapping[_Way, Summary], cold: ColdStart) -> Timing:
    trained = latencies.get(_Way(TRAINED, 1, way.batch, way.threads))
    n_steps = None if way.system == TRAINED else way.n_steps
    ratio = latencies[way].median / trained.median if trained else None
    return Timing(way.system, n_steps, way.batch, way.threads, latencies[way], cold, ratio)


@contextmanager
def _running(path: Path) -> Iterator[None]:
    """What ONNX Runtime cannot run is refused."""
    try:
        yield
    except RUNTIME_ERRORS as error:
        raise RefusedError(f"ONNX Runtime cannot run it on these samples: {brief(error)}", file=path) from error
