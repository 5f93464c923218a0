"""What a measurement was made with."""

from __future__ import annotations

import os
import platform

import onnxruntime

import snn_ops
from converter.bench.machine import gpu_names, this_machine


def test_this_machine() -> None:
    machine = this_machine()
    assert machine.cores == len(os.sched_getaffinity(0))
    assert machine.cpu_isa == snn_ops.cpu_isa()
    assert machine.load is not None and machine.load >= 0
    for part in (platform.python_version(), onnxruntime.__version__, snn_ops.__version__, f"{machine.cores} cores"):
        assert part in str(machine)
    assert machine.processor


def test_without_the_library(monkeypatch) -> None:
    monkeypatch.setenv("ONNX_SNN_LIBRARY", "/nowhere.so")
    assert this_machine().cpu_isa is None
    assert "None" not in str(this_machine())


def test_a_system_that_does_not_tell_its_load(monkeypatch) -> None:
    monkeypatch.delattr(os, "getloadavg")
    assert this_machine().load is None
    assert "load" not in str(this_machine())


def test_gpus(tmp_path) -> None:
    """As the driver writes it."""
    assert gpu_names(tmp_path) == ()
    for index, name in enumerate(("NVIDIA H100 80GB HBM3", "NVIDIA L4")):
        folder = tmp_path / "gpus" / f"0000:0{index}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 24\n")
    assert gpu_names(tmp_path) == ("NVIDIA H100 80GB HBM3", "NVIDIA L4")
