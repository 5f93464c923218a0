"""What a measurement was made with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import onnxruntime

import snn_ops


def processor() -> str:
    """Its model."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def gpu() -> str:
    """Its name, driver and memory; "" where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""


def name(provider: str) -> str:
    """For a file: of the processor and its cores, or of the GPU."""
    device = gpu().split(",")[0] if provider == "cuda" else f"{processor().split('@')[0]} {cores()} cores"
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((R|TM|r|tm)\)", "", device).lower()).strip("-")


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def facts(provider: str = "cpu") -> dict[str, Any]:
    """Everything, for a file of results."""
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "isa": snn_ops.cpu_isa(),
        "gpu": gpu() if provider == "cuda" else "",
        "system": platform.platform(),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "onnx-snn": snn_ops.__version__,
    }


def describe() -> str:
    """Processor, cores and versions."""
    return (
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, "
        f"onnx-snn {snn_ops.__version__}"
    )
