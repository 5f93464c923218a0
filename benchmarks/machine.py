"""What a measurement was made with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import onnxruntime

import snn_ops


def describe() -> str:
    """Processor, cores and versions, in a line."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return (
        f"{processor}, {os.cpu_count()} cores; Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, "
        f"onnx-snn {snn_ops.__version__}"
    )
