"""`python -m tests.fuzz [--minutes M | --count N] [--seed S] [--kinds ...]`: looks for tracebacks, crashes, hangs and wrong answers.

A failure is made smaller by leaving mutations out, and its files are kept in `tests/fuzz/corpus`, which the tests run.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.cases import KINDS, Case

CORPUS = Path(__file__).parent / "corpus"
MOST_SECONDS = 30
MOST_MUTATIONS = 6


class Worker:
    """A process that runs cases; a new one where that ended."""

    def __init__(self, warm_up: str = "metadata") -> None:
        self._process: subprocess.Popen[str] | None = None
        self._warm_up = Case(warm_up, 0, ())

    def run(self, case: Case) -> str:
        """What is wrong; empty: nothing."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.fuzz.check"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            wrong = self.run(self._warm_up)  # imports and converted models take their time
            if self._process is None:
                raise RuntimeError(f"it does not start: {wrong}")
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([case.kind, case.seed, case.mutations]) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], 20 * MOST_SECONDS if case.seed == 0 else MOST_SECONDS)
        answer = process.stdout.readline() if ready else ""
        if answer:
            return str(json.loads(answer))
        process.kill()
        self._process = None
        return f"the process ended with {process.wait()}" if ready else f"a hang of more than {MOST_SECONDS} s"

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()


def smaller(case: Case, worker: Worker) -> Case:
    """The case without what it fails without."""
    for number in case.mutations:
        fewer = Case(case.kind, case.seed, tuple(n for n in case.mutations if n != number))
        if worker.run(fewer):
            case = fewer
    return case


def keep(case: Case, wrong: str) -> Path:
    """Writes a case's files into the corpus."""
    folder = CORPUS / f"{case.kind}-{case.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = case.write(folder)
    (folder / "case.json").write_text(
        json.dumps({"lines": lines, "was": wrong.strip().splitlines()[-1]}, indent=1) + "\n"
    )
    return folder


def cases(seed: int, kinds: list[str]) -> list[Case]:
    """One of each kind."""
    return [Case(kind, seed, tuple(range(seed % MOST_MUTATIONS + 1))) for kind in kinds]


def main() -> int:
    """Runs until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--count", type=int, help="seeds, instead of minutes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    print(f"seeds from {arguments.seed} on")
    worker = Worker("operator" if arguments.kinds == ["operator"] else "metadata")
    counts, failures = Counter[str](), 0
    end, seed = time.monotonic() + 60 * arguments.minutes, arguments.seed
    last = None if arguments.count is None else seed + arguments.count
    while seed < last if last is not None else time.monotonic() < end:
        for case in cases(seed, arguments.kinds):
            wrong = worker.run(case)
            counts[case.kind] += 1
            if wrong:
                failures += 1
                small = smaller(case, worker)
                print(f"{small}: {wrong}\n  kept in {keep(small, wrong)}", flush=True)
        seed += 1
        if seed % 1000 == 0:
            print(f"up to seed {seed - 1}: {failures} failures", flush=True)
    worker.close()
    print(f"seeds {arguments.seed} to {seed - 1}, cases {dict(counts)}: {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
