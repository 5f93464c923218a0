"""A process of its own that loads a model and runs it: how long that takes, and how much memory.

`python -m converter.bench.cold_start` is that process: it reads a task as JSON on standard input and writes what it measured as
the last line on standard output. It imports what a deployment needs, no more.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from converter.bench.runs import TRAINED, Place, run_of
from converter.errors import RefusedError
from converter.io.optional import search_path
from snn_ops.files import read_npz, temporary_folder

_RUNS = 3
"""Until ONNX Runtime's memory has grown to what it keeps."""


@dataclass(frozen=True)
class Task:
    """What a process shall do.

    Attributes:
        model: the file.
        samples: an `.npz` file with an array per input, the batch.
        system, n_steps, fixed_batch: as for `runs.run_of`.
        place: where.
    """

    model: str
    samples: str
    system: str
    place: Place
    n_steps: int = 1
    fixed_batch: int | None = None


@dataclass(frozen=True)
class ColdStart:
    """What the process measured.

    Attributes:
        load: seconds from the file to a session.
        first_answer: seconds from the file to the first answer.
        empty_bytes: the most memory that the process held before it loaded the model: Python, NumPy, ONNX Runtime, samples.
        peak_bytes: the most memory that it held at all; None where the system does not tell.
    """

    load: float
    first_answer: float
    empty_bytes: int | None
    peak_bytes: int | None


def cold_start(task: Task, processes: int) -> ColdStart:
    """Medians over some processes, one after the other.

    Raises:
        RefusedError: the model does not run there.
    """
    found = [_in_a_process(task) for _ in range(processes)]
    empty = [each.empty_bytes for each in found if each.empty_bytes is not None]
    peak = [each.peak_bytes for each in found if each.peak_bytes is not None]
    return ColdStart(
        statistics.median(each.load for each in found),
        statistics.median(each.first_answer for each in found),
        statistics.median_low(empty) if empty else None,
        statistics.median_low(peak) if peak else None,
    )


def _in_a_process(task: Task) -> ColdStart:
    command = [sys.executable, "-m", "converter.bench.cold_start"]
    task = replace(task, model=str(Path(task.model).resolve()), samples=str(Path(task.samples).resolve()))
    with temporary_folder() as folder:  # an empty one: Python looks for libraries in the current one first
        done = subprocess.run(
            command,
            input=json.dumps(asdict(task)),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": search_path()},
            cwd=folder,
            check=False,
        )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
        raise RefusedError(f"in a process of its own: {said[-1]}", file=task.model)
    return ColdStart(**json.loads(done.stdout.splitlines()[-1]))


def measure(task: Task) -> ColdStart:
    """What the process does."""
    feed = read_npz(task.samples)
    empty = peak_bytes()
    start = time.perf_counter()
    session = task.place.session(task.model, trained=task.system == TRAINED)
    loaded = time.perf_counter()
    run = run_of(session, task.system, task.n_steps, task.fixed_batch)
    run(feed)
    answered = time.perf_counter()
    for _ in range(_RUNS - 1):
        run(feed)
    return ColdStart(loaded - start, answered - start, empty, peak_bytes())


def peak_bytes() -> int | None:
    """The most memory that this process has held; None where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return None
    return 1024 * int(found[1]) if found else None


def main() -> None:
    """The process."""
    values: dict[str, Any] = json.load(sys.stdin)
    found = measure(Task(**{**values, "place": Place(**values["place"])}))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
