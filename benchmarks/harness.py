"""One cell after another: all systems built, their outputs compared, those that are right measured in turns."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
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
from benchmarks.systems.system import System
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation
from converter.bench.timing import measure

REFERENCES = {
    "spiking": "benchmarks.systems.onnx_snn",
    "trained": "benchmarks.systems.trained",
    "two-phase": "benchmarks.systems._two_phase_reference",
}
"""The module of the system that gives what others are held against, by target."""
STREAM_CALLS = 32
"""Steps of a stream that are compared."""
BUILDING = 4
"""Times the limit: a system may take so long to be built, and to search for its best settings."""
NEVER = 1e9
"""Seconds, in the place of those of a system that failed."""
LEAST = 5
"""Runs that must fit into the limit."""


@dataclass(frozen=True)
class Settings:
    """How a cell is measured.

    Attributes:
        limit: seconds that a system may run in a cell, once it is built.
        seconds: to measure each system for.
        rounds: in which all take turns.
        here: take this environment for all systems.
    """

    limit: float = 60.0
    seconds: float = 1.0
    rounds: int = 10
    here: bool = False


@dataclass
class _Started:
    """A system that is built, and what it gave."""

    process: SystemProcess
    built: dict[str, Any]
    outputs: Outputs
    run_seconds: float
    failure: DidNotRunError | None = None


@dataclass
class _Files:
    """What all systems of a cell get."""

    folder: Path
    network: str
    x: str
    equation: Equation
    kind: str
    started: dict[str, _Started | DidNotRunError] = field(default_factory=dict)


class Harness:
    """Runs cells.

    Args:
        names: of the systems.
        settings: how to measure.
        find: the system of a name, and its module; tests put one of their own there.
        say: called with what is being done.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: Settings = Settings(),  # it is frozen
        find: Callable[[str], tuple[System, str]] = lambda name: (systems.system(name), systems.module_of(name)),
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.names, self.say = list(names), say
        self._settings, self._find = settings, find
        self._shared = tempfile.TemporaryDirectory()

    def made_with(self) -> dict[str, str]:
        """What each system is made of."""
        ours = f"onnx-snn {snn_ops.__version__}, ONNX Runtime {onnxruntime.__version__}"
        found = {}
        for name in self.names:
            requirements = self._find(name)[0].requirements
            found[name] = environments.fingerprint(requirements) if requirements else ours
        return found

    def run(self, cell: Cell) -> CellResult:
        """A row for each system, whatever becomes of it."""
        start, load_average = time.monotonic(), os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:
            files = _files(cell, Path(folder))
            asked = [name for name in self.names if self._has_row(name, cell, files)]
            rows = {name: self._compared(name, cell, files, processes) for name in asked}
            rows = self._measured(rows, files)
        return CellResult(
            cell,
            tuple(rows.values()),
            self.made_with(),
            round(load_average, 2),
            round(time.monotonic() - start, 1),
            datetime.now(timezone.utc).date().isoformat(),
        )

    def _has_row(self, name: str, cell: Cell, files: _Files) -> bool:
        """A peer always, with a reason where it cannot; ours where they are meant for such a cell."""
        system = self._find(name)[0]
        return files.kind in system.kinds and (system.requirements is not None or cell.provider in system.providers)

    def _compared(self, name: str, cell: Cell, files: _Files, processes: ExitStack) -> Row:
        """The row before it is measured: built, and its outputs compared; its state is `MEASURED` where it shall be."""
        system, module = self._find(name)
        row = Row(name, NOT_RUN, target=system.rule.target, note=system.rule.note)
        started = self._start(module, system, cell, files, processes)
        if isinstance(started, DidNotRunError):
            return replace(row, state=OVER if isinstance(started, OverTheLimitError) else NOT_RUN, reason=str(started))
        row = replace(row, **_about(started.built))
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
        if LEAST * started.run_seconds > self._settings.limit:
            started.process.close()
            words = f"over the limit of {self._settings.limit:.0f} s for {LEAST} runs: one takes {started.run_seconds:.1f} s"
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
        requirements = system.requirements if system else None
        name = system.name if system else ""
        python = environments.python_of(name, requirements, here=self._settings.here)
        packages = environments.packages_of(name) if self._settings.here else ""
        limit = self._settings.limit
        process = processes.enter_context(SystemProcess(python, module, cell.threads, cell.provider, packages))
        job = {"shared": self._shared.name, "stream": files.kind == "stream", "sequence": files.kind == "sequence"}
        job |= {key: getattr(cell, key) for key in ("n_steps", "batch", "threads", "provider")}
        built = process.ask("build", BUILDING * limit, network=files.network, x=files.x, **job)
        to, calls = files.folder / f"{module}.npz", STREAM_CALLS if files.kind == "stream" else 1
        process.ask("outputs", limit, to=str(to), calls=calls, counts=files.kind == "network")
        run_seconds = process.ask("turn", limit, seconds=0)["seconds"][0]
        process.pause()
        return _Started(process, built, _read_outputs(to, mean_so_far=built["mean_so_far"]), run_seconds)

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
        found = measure(turns, seconds=self._settings.seconds, rounds=self._settings.rounds)
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


def _files(cell: Cell, folder: Path) -> _Files:
    workload, equation = WORKLOADS[cell.workload](), Equation(cell.equation)
    network, x = folder / "network.npz", folder / "x.npz"
    workload.network(equation).save(network)
    np.savez(x, x=workload.inputs(cell.batch, cell.n_steps))
    return _Files(folder, str(network), str(x), equation, workload.kind)


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


def _about(built: Mapping[str, Any]) -> dict[str, Any]:
    parts = built["seconds"]
    return {
        "version": built["version"],
        "settings": built["settings"],
        "load_seconds": built["load_seconds"],
        "conversion_seconds": parts.get("conversion"),
        "search_seconds": parts.get("search"),
        "first_seconds": built["first_seconds"],
        "peak_bytes": built["peak_bytes"],
        "file_bytes": built["file_bytes"],
    }
