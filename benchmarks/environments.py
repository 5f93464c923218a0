"""Environments of the peers: ``.venv-peers/NAME``, made on demand from a system's pinned requirements file."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from benchmarks.process import ROOT, DidNotRunError, OverTheLimitError, run_to_end

FOLDER = ROOT / ".venv-peers"
INSTALL_LIMIT = 1800
"""Seconds."""


def python_of(name: str, requirements: Path | None, *, here: bool = False) -> str:
    """The Python that a system runs in; its environment is made where it is missing or of other requirements.

    Args:
        name: the system's.
        requirements: its file; None: it runs in this environment.
        here: take this environment for all.

    Raises:
        DidNotRunError: it cannot be installed; the message says what pip said.
    """
    if here or requirements is None:
        return sys.executable
    folder = FOLDER / name
    mark, wanted = folder / "requirements.sha256", fingerprint(requirements)
    python = folder / "bin" / "python"
    failed = FOLDER / f"{name}.failed"
    if mark.exists() and mark.read_text() == wanted:
        return str(python)
    if failed.exists() and failed.read_text().startswith(wanted):
        raise DidNotRunError(failed.read_text().split("\n", 1)[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    try:
        _run([shutil.which("python3.11") or sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
    except DidNotRunError as error:
        shutil.rmtree(folder, ignore_errors=True)
        failed.write_text(f"{wanted}\n{error}")
        raise
    failed.unlink(missing_ok=True)
    mark.write_text(wanted)
    return str(python)


def packages_of(name: str) -> str:
    """A folder of packages for this system alone, below the one that the variable ``ONNX_SNN_PEERS`` names; "" without."""
    folder = Path(os.environ.get("ONNX_SNN_PEERS", "")) / name
    return str(folder) if "ONNX_SNN_PEERS" in os.environ and folder.is_dir() else ""


def fingerprint(requirements: Path) -> str:
    """Of a requirements file."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def _run(command: list[str]) -> None:
    try:
        done = run_to_end(command, INSTALL_LIMIT)
    except OverTheLimitError:
        raise DidNotRunError(f"not installed after {INSTALL_LIMIT} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise DidNotRunError(f"cannot be installed: {(errors or ['no reason given'])[-1]}"[:300])
