"""What a measurement was made with."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import snn_ops
from converter.doctor import gpu_names
from converter.graph.run import RUNTIME_VERSION


@dataclass(frozen=True)
class Machine:
    """The machine and the versions.

    Attributes:
        processor: its name.
        cores: those that this process may use.
        gpus: NVIDIA's, as its driver calls them.
        cpu_isa: the instruction set that our CPU kernels use; None: the native library is not here.
        load: how many processes wanted to run in the last minute, on average, before the measurement; None: not known.
        python, onnxruntime, onnx_snn: versions.
    """

    processor: str
    cores: int
    gpus: tuple[str, ...]
    cpu_isa: str | None
    load: float | None
    python: str
    onnxruntime: str
    onnx_snn: str

    def __str__(self) -> str:
        isa = f", {self.cpu_isa}" if self.cpu_isa else ""
        load = f", load {self.load:.2f}" if self.load is not None else ""
        versions = f"Python {self.python}, ONNX Runtime {self.onnxruntime}, onnx-snn {self.onnx_snn}"
        gpus = "".join(f", {name}" for name in self.gpus)
        return f"{self.processor}{isa}, {self.cores} cores{gpus}{load}; {versions}"


def this_machine() -> Machine:
    """This one, now."""
    versions = platform.python_version(), RUNTIME_VERSION, snn_ops.__version__
    return Machine(_processor(), _cores(), gpu_names(), _isa(), _load(), *versions)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _isa() -> str | None:
    try:
        return snn_ops.cpu_isa()
    except (RuntimeError, OSError):
        return None


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
