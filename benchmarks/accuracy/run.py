"""The process of a converter: ``python -m benchmarks.accuracy.run NAME FOLDER OUT``, in the environment of the system NAME."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.accuracy.task import Task


def main() -> None:
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    measure = importlib.import_module(f"benchmarks.accuracy.{name.replace('-', '_')}").measure
    out.write_text(json.dumps([asdict(figures) for figures in measure(Task.load(folder))]))


if __name__ == "__main__":
    main()
