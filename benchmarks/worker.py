"""The process that a system runs in: ``python -m benchmarks.worker MODULE COMMANDS ANSWERS``, started by `benchmarks.process`.

MODULE has the system as SYSTEM. COMMANDS and ANSWERS are file descriptors with a line of JSON for each command, so that
whatever a library prints disturbs nothing. Arrays go through .npz files. Needs numpy, the standard library, and what the system
itself imports.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems.system import CannotComputeError, Job, Runner, Searching, System
from benchmarks.workloads.network import Network

Answer = dict[str, Any]


class Worker:
    """Does what the harness asks for, one command after another."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._runner: Runner | None = None
        self._x: np.ndarray | None = None
        self._placed: Any = None

    def build(self, network: str, x: str, **job: Any) -> Answer:
        """Builds, and runs for the first time.

        Args:
            network: the file of the network.
            x: the file of the inputs, which all later commands take.
            job: the other fields of `Job`.
        """
        described = self._given(network, x)
        start = time.perf_counter()
        self._runner = self._system.build(Job(described, **job))
        built = time.perf_counter()
        assert self._x is not None
        self._placed = self._runner.place(self._x)
        self._runner.run(self._placed)
        waited = self._runner.waited_seconds
        return {
            "settings": dict(self._runner.settings),
            "load_seconds": built - start - waited,
            "waited_seconds": waited,
            "seconds": dict(self._runner.seconds),
            "first_seconds": time.perf_counter() - built,
            "file_bytes": self._runner.file_bytes,
            "mean_so_far": self._runner.mean_so_far,
            "peak_bytes": peak_bytes(),
            "version": self._system.version(),
        }

    def _given(self, network: str, x: str) -> Network:
        """The network, of an equation that the system has; the inputs are kept."""
        with np.load(x) as content:
            self._x = content["x"]
        described = Network.load(Path(network))
        if described.equation not in self._system.equations:
            raise CannotComputeError(f"has no neuron of equation {described.equation.value}")
        return described

    def search(self, network: str, x: str, to: str, seconds: float, **job: Any) -> Answer:
        """Builds, and tries settings, none after so many seconds; each that was tried is a line of JSON in a file, at once.

        Args:
            network, x, job: as of `build`.
            to: the file.
            seconds: the limit.
        """
        described = self._given(network, x)
        runner = self._system.build(Job(described, **job))
        assert isinstance(runner, Searching) and self._x is not None
        with Path(to).open("w") as file:
            runner.search(self._x, seconds, lambda tried: print(json.dumps(tried), file=file, flush=True))
        return {}

    def outputs(self, to: str, calls: int = 1, counted: int = 0) -> Answer:
        """Writes the output of each of so many calls as `outputs`, the spike counts of so many samples as `counts.LAYER`."""
        assert self._runner is not None and self._x is not None
        outputs = np.stack([self._runner.take(self._runner.run(self._placed)) for _ in range(calls)])
        spikes = self._runner.spike_counts(self._x[:counted]) if counted else None
        np.savez(to, outputs=outputs, **{f"counts.{name}": array for name, array in (spikes or {}).items()})
        return {"counts": spikes is not None}

    def turn(self, seconds: float) -> Answer:
        """Runs for so long, once at least; the seconds of each run but the first, which finds others' data in the caches."""
        assert self._runner is not None
        times: list[float] = []
        begin = start = time.perf_counter()
        while not times or start - begin < seconds:
            self._runner.run(self._placed)
            end = time.perf_counter()
            times.append(end - start)
            start = end
        return {"seconds": times[1:] or times, "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """The most memory that this process ever held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0


def attempt(command: Callable[..., Answer], arguments: Answer) -> Answer:
    """The answer, or the reason why there is none."""
    try:
        return command(**arguments)
    except CannotComputeError as error:
        return {"cannot": str(error)}
    except MemoryError:
        return {"failed": "out of memory"}
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        return {"failed": f"{type(error).__name__}: {first}"[:300]}


def main() -> None:
    module, commands, answers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory runs out, this process goes first
    worker = Worker(importlib.import_module(module).SYSTEM)
    with os.fdopen(commands) as lines, os.fdopen(answers, "w") as out:
        for line in lines:
            arguments = json.loads(line)
            command = arguments.pop("do")
            print(json.dumps(attempt(getattr(worker, command), arguments), default=str), file=out, flush=True)


if __name__ == "__main__":
    main()
