"""Systems by name: a file each. `onnx_snn.py` is onnx-snn; files that begin with ``_`` are no systems."""

from __future__ import annotations

import importlib
from pathlib import Path

from benchmarks.systems.system import System

FIRST = (
    "onnx-snn",
    "onnx-snn-cuda-graph",
    "onnx-snn-exhaustive",
    "onnx-snn-two-phase",
    "onnx-snn-delta-2",
    "onnx-snn-delta-4",
    "onnx-snn-delta-two-phase",
    "onnx-snn-functions",
    "onnx-snn-python",
    "trained",
    "copy",
)
"""Ours, and what ratios are taken to; the peers follow by name."""


def module_of(name: str) -> str:
    """The module of a system."""
    return f"{__name__}.{name.replace('-', '_')}"


def names() -> list[str]:
    """Of all systems."""
    files = [path.stem for path in Path(__file__).parent.glob("*.py") if path.stem[0] != "_" and path.stem != "system"]
    found = {stem.replace("_", "-") for stem in files}
    return [*(name for name in FIRST if name in found), *sorted(found - set(FIRST))]


def system(name: str) -> System:
    """The system of that name."""
    found: System = importlib.import_module(module_of(name)).SYSTEM
    return found
