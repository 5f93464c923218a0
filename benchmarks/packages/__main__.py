"""``python -m benchmarks.packages [FOLDER]``: makes the folder, in an environment of its own."""

import argparse
import json
import subprocess
from pathlib import Path

from benchmarks import environments
from benchmarks.packages import FOLDER, NAMES, REQUIREMENTS
from benchmarks.process import ROOT


def main() -> None:
    """Makes the models that are missing, one process each, and lists them in ``models.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--models", help="only these, separated by commas")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in NAMES if arguments.models is None or name in arguments.models.split(",")]
    python = environments.python_of("packages", REQUIREMENTS)
    for name in wanted:
        if not (folder / f"{name}.onnx").exists():
            subprocess.run(
                [python, "-m", "benchmarks.packages.make", name, str(folder.resolve())], cwd=ROOT, check=True
            )
            print(folder / f"{name}.onnx", flush=True)
    found = [name for name in NAMES if (folder / f"{name}.onnx").exists()]
    entries = [
        {"file": f"{name}.onnx", "samples": [f"{name}.{part}.npz" for part in ("calibration", "test")]}
        for name in found
    ]
    (folder / "models.json").write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
