"""Seconds that ``import snn_ops`` adds to ``import numpy, onnxruntime``: ``python -m benchmarks.import_time [--repeats N]``.

Each repeat is a new process that imports numpy and onnxruntime first and snn_ops then, each timed by itself. The first
process only brings the files into the system's cache and does not count.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from benchmarks.machine import describe

CODE = """
import time
start = time.perf_counter()
import numpy, onnxruntime
before = time.perf_counter()
import snn_ops
print(before - start, time.perf_counter() - before)
"""


def measure() -> tuple[float, float]:
    """Seconds of both imports in a new process."""
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    first, second = map(float, done.stdout.split())
    return first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    times = [measure() for _ in range(repeats + 1)][1:]
    print(describe())
    for name, seconds in zip(("numpy, onnxruntime", "snn_ops after them"), zip(*times, strict=True), strict=True):
        print(f"{name:20} median {statistics.median(seconds) * 1e3:6.1f} ms, largest {max(seconds) * 1e3:6.1f} ms")


if __name__ == "__main__":
    main()
