"""One cell after another: all systems built, their outputs compared, those that are right measured in turns.

A cell has a limit of seconds. A third of it is what a system may take until its outputs are compared, and a third what its
fewest runs may take; one that needs more is a row "over the limit". What remains of the limit is shared out to measure all.
Searches for the fastest settings (`benchmarks.searches`) and conversions of our own models serve many cells, and come on top of
the first of them.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import snn_ops
from benchmarks import environments, systems
from benchmarks.comparison import Outputs, compare
from benchmarks.matrix import Cell
from benchmarks.process import DidNotRunError, OverTheLimitError, SystemProcess
from benchmarks.results import ELSE, MEASURED, NOT_RUN, OVER, CellResult, Row, Times
from benchmarks.searches import STEPS, Search, Searches, Try, key_of
from benchmarks.systems.system import System
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation
from converter.bench.timing import measure

REFERENCES = {
    "spiking": "benchmarks.systems.onnx_snn",
    "trained": "benchmarks.systems.trained",
    "two-phase": "benchmarks.systems._two_phase_reference",
    "delta, 2 steps": "benchmarks.systems._delta_2_reference",
    "delta, 4 steps": "benchmarks.systems._delta_4_reference",
    "delta-two-phase": "benchmarks.systems._delta_two_phase_reference",
}
"""The module of the system that gives what others are held against, by target."""
STREAM_CALLS = 32
"""Steps of a stream that are compared."""
COUNTED = 16
"""Samples whose spikes are counted, neuron by neuron."""
CONVERSION = 120
"""Seconds for one of our models to be converted, which other cells take too."""
PART = 1 / 3
"""Of the limit: until a system's outputs are compared; for its fewest runs."""
WARM_UP = 0.5
"""Of the seconds that a system is measured for, it is warmed up before."""
LEAST_SECONDS = 0.3
"""To measure each system for, where little of the limit is left."""
NEVER = 1e9
"""Seconds, in the place of those of a system that failed."""
LEAST = 5
"""Runs that must fit into the limit."""


@dataclass(frozen=True)
class Settings:
    """How a cell is measured.

    Attributes:
        limit: seconds of a cell.
        seconds: to measure each system for, where the limit allows.
        rounds: in which all take turns.
        search: seconds after which a search tries nothing more; the limit later it is ended from outside, and what was tried
            until then counts.
        here: take this environment for all systems.
    """

    limit: float = 60.0
    seconds: float = 1.0
    rounds: int = 10
    search: float = 20.0
    here: bool = False


@dataclass
class _Started:
    """A system that is built, and what it gave."""

    process: SystemProcess
    built: dict[str, Any]
    outputs: Outputs
    run_seconds: float
    search: Search | None = None
    failure: DidNotRunError | None = None


@dataclass
class _Files:
    """What all systems of a cell get, and its limit."""

    folder: Path
    network: str
    x: str
    equation: Equation
    kind: str
    until: float
    """The limit, of `time.monotonic`; searches put it off."""
    started: dict[str, _Started | DidNotRunError] = field(default_factory=dict)


class Harness:
    """Runs cells.

    Args:
        names: of the systems.
        settings: how to measure.
        find: the system of a name, and its module; tests put one of their own there.
        say: called with what is being done.
        searches: what was found before.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: Settings = Settings(),  # it is frozen
        find: Callable[[str], tuple[System, str]] = lambda name: (systems.system(name), systems.module_of(name)),
        say: Callable[[str], None] = lambda text: None,
        searches: Searches | None = None,
    ) -> None:
        self.names, self.say = list(names), say
        self._searches = searches or Searches()
        self._settings, self._find = settings, find
        self._shared = tempfile.TemporaryDirectory()

    def made_with(self) -> dict[str, str]:
        """What each system is made of."""
        return {name: self._made_with(self._find(name)[0]) for name in self.names}

    def _made_with(self, system: System) -> str:
        if system.requirements:
            return environments.fingerprint(system.requirements)
        return f"onnx-snn {snn_ops.__version__}, ONNX Runtime {onnxruntime.__version__}"

    def run(self, cell: Cell) -> CellResult:
        """A row for each system, whatever becomes of it."""
        start, load_average = time.monotonic(), os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:
            files = _files(cell, Path(folder), self._settings.limit)
            asked = [name for name in self.names if self._has_row(name, cell, files)]
            rows = {name: self._compared(name, cell, files, processes) for name in asked}
            rows = self._measured(rows, files)
        return CellResult(
            cell,
            tuple(rows.values()),
            self.made_with(),
            round(load_average, 2),
            round(time.monotonic() - start, 1),
            _today(),
        )

    def prepare(self, cell: Cell) -> None:
        """Makes the searches that it needs; what fails will be a row of it."""
        with tempfile.TemporaryDirectory() as folder:
            files = _files(cell, Path(folder), self._settings.limit)
            for name in self.names:
                system, module = self._find(name)
                if system.searches and self._has_row(name, cell, files) and files.equation in system.equations:
                    with suppress(DidNotRunError):
                        self._searched(module, system, cell, files)

    def _has_row(self, name: str, cell: Cell, files: _Files) -> bool:
        """A peer always, with a reason where it cannot; ours where they are meant for such a cell."""
        system = self._find(name)[0]
        if files.kind not in system.kinds:
            return False
        if system.requirements is not None:
            return True
        fits = not system.trained_only or WORKLOADS[cell.workload]().trained
        fits = fits and (system.steps is None or cell.n_steps in system.steps)
        return fits and cell.provider in system.providers and files.equation in system.equations

    def _compared(self, name: str, cell: Cell, files: _Files, processes: ExitStack) -> Row:
        """The row before it is measured: built, and its outputs compared; its state is `MEASURED` where it shall be."""
        system, module = self._find(name)
        row = Row(name, NOT_RUN, target=system.rule.target, note=system.rule.note)
        started = self._start(module, system, cell, files, processes)
        if isinstance(started, DidNotRunError):
            return replace(row, state=OVER if isinstance(started, OverTheLimitError) else NOT_RUN, reason=str(started))
        row = replace(row, **_about(started.built, started.search))
        if system.rule.target != "nothing":
            reference = REFERENCES[system.rule.target]
            expected = self._start(reference, None, cell, files, processes)
            if isinstance(expected, DidNotRunError):
                return replace(row, reason=f"nothing to compare it with: {reference}: {expected}")
            if expected is not started:
                result = compare(started.outputs, expected.outputs, row.target, files.equation, cell.n_steps)
                row = replace(row, difference=result.difference, bound=result.bound)
                if not result.equal:
                    started.process.close()
                    return replace(row, state=ELSE, reason=result.difference)
            else:
                row = replace(row, difference="what others are held against")
        if LEAST * started.run_seconds > self._part:
            started.process.close()
            words = f"over the limit of {self._part:.0f} s for {LEAST} runs: one takes {started.run_seconds:.1f} s"
            return replace(row, state=OVER, reason=words)
        return replace(row, state=MEASURED)

    def _start(
        self, module: str, system: System | None, cell: Cell, files: _Files, processes: ExitStack
    ) -> _Started | DidNotRunError:
        """The system of a module, built once in a cell, standing still; or why not."""
        if module not in files.started:
            self.say(f"{cell}: {module.rpartition('.')[2]}")
            try:
                files.started[module] = self._build(module, system, cell, files, processes)
            except DidNotRunError as error:
                files.started[module] = error
        return files.started[module]

    def _build(self, module: str, system: System | None, cell: Cell, files: _Files, processes: ExitStack) -> _Started:
        if system is not None and cell.provider not in system.providers:
            raise DidNotRunError(f"does not run with provider {cell.provider} here")
        search = self._searched(module, system, cell, files) if system is not None and system.searches else None
        best = search.best() if search else None
        if search and best is None:
            raise OverTheLimitError(f"{OVER}: {search.ended} before a setting had run")
        process = processes.enter_context(self._process(module, system, cell))
        to, calls = files.folder / f"{module}.npz", STREAM_CALLS if files.kind == "stream" else 1
        end = time.monotonic() + self._part
        ours = system is None or system.requirements is None
        job = _job(cell, files, self._shared.name, best.setting if best else None)
        try:
            built = process.ask("build", self._part + CONVERSION * ours, network=files.network, x=files.x, **job)
            end, files.until = end + built["waited_seconds"], files.until + built["waited_seconds"]
            counted = COUNTED if files.kind == "network" else 0
            process.ask("outputs", end - time.monotonic(), to=str(to), calls=calls, counted=counted)
            run_seconds = process.ask("turn", end - time.monotonic(), seconds=0)["seconds"][0]
        except OverTheLimitError:
            raise OverTheLimitError(f"{OVER} of {self._part:.0f} s until its outputs were compared") from None
        process.pause()
        outputs = _read_outputs(to, mean_so_far=built["mean_so_far"])
        return _Started(process, built, outputs, run_seconds, search)

    def _searched(self, module: str, system: System, cell: Cell, files: _Files) -> Search:
        """The search for its fastest setting that serves this cell: one from before, or a new one.

        Raises:
            DidNotRunError: the system failed.
        """
        key, made_with = key_of(system.name, cell), self._made_with(system)
        found = self._searches.get(key, made_with)
        if found is not None:
            return found
        self.say(f"{cell}: searching for the fastest setting of {system.name}")
        begun, n_steps = time.monotonic(), 1 if files.kind == "stream" else STEPS
        x, to = files.folder / "search.npz", files.folder / "search.txt"
        np.savez(x, x=WORKLOADS[cell.workload]().inputs(cell.batch, n_steps))
        job, ended = _job(cell, files, self._shared.name) | {"n_steps": n_steps}, ""
        with self._process(module, system, cell) as process:
            seconds = self._settings.search
            end = seconds + self._settings.limit
            try:
                process.ask("search", end, network=files.network, x=str(x), to=str(to), seconds=seconds, **job)
            except OverTheLimitError:
                ended = f"its search was ended after {end:.0f} s"
            except DidNotRunError as error:
                ended = str(error)
                if not to.exists():
                    raise
        lines = to.read_text().splitlines() if to.exists() else []
        tried = tuple(Try(**json.loads(line)) for line in lines)
        seconds = time.monotonic() - begun
        files.until += seconds
        found = Search(made_with, n_steps, cell.batch, round(seconds, 1), _today(), tried, ended)
        self._searches.put(key, found)
        to.unlink(missing_ok=True)
        return found

    @property
    def _part(self) -> float:
        return PART * self._settings.limit

    def _process(self, module: str, system: System | None, cell: Cell) -> SystemProcess:
        name = system.name if system else ""
        python = environments.python_of(name, system.requirements if system else None, here=self._settings.here)
        packages = environments.packages_of(name) if self._settings.here else ""
        return SystemProcess(python, module, cell.threads, cell.provider, packages)

    def _measured(self, rows: Mapping[str, Row], files: _Files) -> dict[str, Row]:
        """With times, of all that were right, in turns."""
        modules = {name: self._find(name)[1] for name, row in rows.items() if row.state == MEASURED}
        started = {name: files.started[module] for name, module in modules.items()}
        ready = {name: one for name, one in started.items() if isinstance(one, _Started)}
        for one in files.started.values():
            if isinstance(one, _Started) and one not in ready.values():
                one.process.close()
        self.say(f"measuring {', '.join(ready)}")
        turns = {name: self._turn(one) for name, one in ready.items()}
        left = (files.until - time.monotonic()) / (1 + WARM_UP) / max(len(ready), 1)
        seconds = min(self._settings.seconds, max(left, LEAST_SECONDS))
        found = measure(turns, seconds=seconds, rounds=self._settings.rounds)
        result = dict(rows)
        for name, one in ready.items():
            if one.failure:
                state = OVER if isinstance(one.failure, OverTheLimitError) else NOT_RUN
                result[name] = replace(rows[name], state=state, reason=str(one.failure))
            else:
                times = Times(**asdict(found[name]))
                result[name] = replace(rows[name], times=times, peak_bytes=one.built["peak_bytes"])
        return result

    def _turn(self, started: _Started) -> Callable[[float], Sequence[float]]:
        def turn(seconds: float) -> Sequence[float]:
            if started.failure:
                return [NEVER]
            try:
                answer = started.process.turn(seconds, self._settings.limit)
            except DidNotRunError as error:
                started.failure = error
                return [NEVER]
            found: list[float] = answer["seconds"]
            return found

        return turn


def _job(cell: Cell, files: _Files, shared: str, setting: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The fields of `Job`."""
    return {
        "n_steps": cell.n_steps,
        "batch": cell.batch,
        "threads": cell.threads,
        "provider": cell.provider,
        "shared": shared,
        "stream": files.kind == "stream",
        "sequence": files.kind == "sequence",
        "setting": setting,
    }


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


def _files(cell: Cell, folder: Path, limit: float) -> _Files:
    workload, equation = WORKLOADS[cell.workload](), Equation(cell.equation)
    network, x = folder / "network.npz", folder / "x.npz"
    workload.network(equation).save(network)
    np.savez(x, x=workload.inputs(cell.batch, cell.n_steps))
    return _Files(folder, str(network), str(x), equation, workload.kind, time.monotonic() + limit)


def _read_outputs(path: Path, *, mean_so_far: bool) -> Outputs:
    """Of one call, or of a stream's, as means over the steps so far."""
    with np.load(path) as content:
        y = content["outputs"]
        counts = {name.removeprefix("counts."): content[name] for name in content.files if name != "outputs"}
    path.unlink()
    if len(y) == 1:
        return Outputs(y[0], counts or None)
    if not mean_so_far:
        y = np.cumsum(y, 0, dtype=np.float64) / np.arange(1, len(y) + 1).reshape(-1, *[1] * (y.ndim - 1))
    return Outputs(y)


def _about(built: Mapping[str, Any], search: Search | None) -> dict[str, Any]:
    return {
        "version": built["version"],
        "settings": built["settings"] | (search.words() if search else {}),
        "load_seconds": built["load_seconds"],
        "conversion_seconds": built["seconds"].get("conversion"),
        "search_seconds": search.seconds if search else None,
        "first_seconds": built["first_seconds"],
        "peak_bytes": built["peak_bytes"],
        "file_bytes": built["file_bytes"],
    }
