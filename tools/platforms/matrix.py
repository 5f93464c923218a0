"""The installed wheel under several Pythons and releases of ONNX Runtime: ``python -m tools.platforms.matrix WHEEL``.

For every Python an environment in build/platforms gets the wheel with what its extras say, and then one release of ONNX Runtime
after the other; tools/platforms/check.py runs in each. What came of it goes to docs/platforms.json, which keeps rows of other
Pythons and releases; `make docs` writes the table of docs/platforms.md from it.

Pythons are programs: ``--pythons python3.10 /opt/python3.13/bin/python3``. A folder is the root of one that
tools/platforms/fetch-debian.sh unpacked, for one that is newer than the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "platforms"
FILE = ROOT / "docs" / "platforms.json"
RUNTIMES = "1.23.2 1.24.4 1.25.1 1.26.0 1.27.0 1.28.0 1.29.0 1.30.0 1.31.1 1.32.0".split()
"""The last patch of each release, from the oldest that some Python takes."""
EXTRAS = ("convert", "python-ops")


def last(text: str) -> str:
    """The line of an installer's words that says why not."""
    lines = (
        [line for line in text.strip().splitlines() if line.startswith("ERROR")] or text.strip().splitlines() or [""]
    )
    return lines[-1].removeprefix("ERROR: ")[:200]


class Python:
    """One of them, with packages of its own.

    Attributes:
        version: "3.12".
    """

    def __init__(self, program: str) -> None:
        self._root = Path(program) if Path(program).is_dir() else None
        if self._root:  # started by its own loader, on its own libraries
            (binary,) = self._root.glob("usr/bin/python3.*[0-9]")
            (loader,) = self._root.glob("usr/lib64/ld-linux-x86-64.so.2")
            (libc,) = self._root.glob("usr/lib/*/libc.so.6")
            self._start = [
                str(loader.absolute()),
                "--library-path",
                str(libc.parent.absolute()),
                str(binary.absolute()),
            ]
        else:
            self._start = [shutil.which(program) or program]
        ask = "import sys; print('%d.%d' % sys.version_info[:2])"
        self.version = subprocess.run(
            [*self._start, "-c", ask], capture_output=True, text=True, check=True
        ).stdout.strip()
        self._site = WORK / f"python{self.version}"

    def install(self, *requirements: str) -> str:
        """Empty, or why it cannot be."""
        if not self._root and not self._site.exists():
            subprocess.run([*self._start, "-m", "venv", str(self._site)], check=True)
        if self._root:  # by this Python's pip, for that one
            tags = [f"--platform=manylinux_{tag}_x86_64" for tag in ("2_28", "2_27", "2_17", "2_39")]
            tags += ["--platform=linux_x86_64", "--platform=manylinux2014_x86_64", "--platform=any"]
            options = ["--target", str(self._site), "--upgrade", "--only-binary=:all:", "--implementation=cp"]
            pip = [sys.executable, "-m", "pip", "install", *options, "--python-version", self.version, *tags]
        else:
            pip = [str(self._site / "bin" / "python"), "-m", "pip", "install"]
        # a checkout where Python looks would pass for the wheel
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [*pip, "--quiet", "--no-compile", *requirements], capture_output=True, text=True, check=False, env=plain
        )
        return last(done.stderr) if done.returncode else ""

    def run(self, script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A script, where the tests can be imported and the checkout cannot."""
        (WORK / "path").mkdir(exist_ok=True)
        if not (WORK / "path" / "tests").exists():
            (WORK / "path" / "tests").symlink_to(ROOT / "tests")
        path = [str(WORK / "path")]
        start = [str(self._site / "bin" / "python")]
        if self._root:
            path.append(str(self._site))
            start = self._start
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [*start, str(script), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )


def rows_of(program: str, wheel: Path, runtimes: list[str]) -> list[dict[str, Any]]:
    """One for each release of ONNX Runtime."""
    python = Python(program)
    print(f"Python {python.version}", flush=True)
    extras = {extra: python.install(f"{wheel}[{extra}]") for extra in EXTRAS}
    rows = []
    for runtime in runtimes:
        row: dict[str, Any] = {"python": python.version, "onnxruntime": runtime, "extras": extras}
        row["not_installed"] = python.install(f"onnxruntime=={runtime}")
        if not row["not_installed"]:
            out = WORK / "check.json"
            out.unlink(missing_ok=True)
            done = python.run(Path(__file__).with_name("check.py"), str(out))
            if out.exists():
                row |= {"found": json.loads(out.read_text())}
            else:
                row |= {"found": {"checks": {"start": f"FAILED: exit code {done.returncode}: {done.stderr[-300:]}"}}}
        print(f"  ONNX Runtime {runtime}: {row.get('found', {}).get('checks') or row['not_installed']}", flush=True)
        rows.append(row)
    return rows


def main() -> int:
    """All Pythons; 1 where a check failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--pythons", nargs="+", default=["python3.10", "python3.11", "python3.12", "python3.13"])
    parser.add_argument("--runtimes", nargs="+", default=RUNTIMES)
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    held = json.loads(FILE.read_text()) if FILE.exists() else []
    for program in arguments.pythons:
        new = rows_of(program, arguments.wheel.resolve(), arguments.runtimes)
        done = {(row["python"], row["onnxruntime"]) for row in new}
        held = [row for row in held if (row["python"], row["onnxruntime"]) not in done] + new
        held.sort(key=lambda row: [int(n) for n in f"{row['python']}.{row['onnxruntime']}".split(".")])
        FILE.write_text(json.dumps(held, indent=1) + "\n")
    # 1.23, for Python 3.10 alone, does not run function bodies: docs/FINDINGS.md
    rows = [row for row in held if not row["onnxruntime"].startswith("1.23.")]
    texts = [text for row in rows for text in row.get("found", {}).get("checks", {}).values()]
    return int(any(text.startswith("FAILED") for text in texts))


if __name__ == "__main__":
    sys.exit(main())
