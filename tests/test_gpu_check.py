"""tools/gpu_check.sh and what it runs, as far as they run without a GPU: one failure leaves the rest alone."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from snn_ops.ops import OPERATORS
from snn_ops.single import SingleOperator
from tools.gpu.models import BoundRun
from tools.gpu.rows import Results, attempt, summary

ROOT = Path(__file__).parents[1]
FOUND = "exit 0"
NOT_FOUND = "exit 9"


def check(
    folder: Path, nvidia_smi: str, *named: str, **variables: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Runs the script with this in place of nvidia-smi, without the stages that take long. Returns what each stage came to."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{nvidia_smi}\n")
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "SNN_GPU_SKIP": "build kernels cupy",
    }
    command = [ROOT / "tools" / "gpu_check.sh", folder / "out", *named]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment | variables)
    return done, summary((folder / "out" / "stages.txt").read_text().splitlines())


def test_without_a_gpu(tmp_path) -> None:
    done, stages = check(tmp_path, NOT_FOUND)
    assert done.returncode == 1
    assert done.stderr == "no GPU: not run\n"
    assert stages["gpu"].startswith("FAILED, see")
    assert "no GPU: nvidia-smi does not find one" in stages["gpu"]
    assert stages["build"] == stages["kernels"] == stages["cupy"] == "left out"
    for name in ("runtime", "started", "tests", "whole_models", "operators", "networks"):
        assert stages[name] == "not run: it needs a GPU"


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="onnxruntime-gpu is installed"
)
def test_without_onnxruntime_for_gpus(tmp_path) -> None:
    done, stages = check(tmp_path, FOUND)
    assert done.returncode == 1
    assert stages["gpu"] == "ok"
    assert "pip install onnxruntime-gpu" in stages["runtime"]
    assert stages["operators"] == "not run: it needs started"
    assert json.loads((tmp_path / "out" / "gpu_check.json").read_text())["summary"] == stages


def test_the_callers_packages_and_library_are_kept(tmp_path) -> None:
    """Named stages run alone."""
    (tmp_path / "onnxruntime.py").write_text(
        "__version__, __path__ = '1', ['here']\n"
        "def get_build_info(): return ''\n"
        "def get_available_providers(): return ['CUDAExecutionProvider']\n"
    )
    variables = {"PYTHONPATH": str(tmp_path), "ONNX_SNN_LIBRARY": str(tmp_path / "given.so"), "SNN_GPU_SKIP": ""}
    _, stages = check(tmp_path, FOUND, "build", "runtime", **variables)
    assert stages["build"].endswith(f"given: {tmp_path / 'given.so'}")  # and it is not there
    (tmp_path / "given.so").touch()
    _, stages = check(tmp_path, FOUND, "build", "runtime", **variables)
    assert stages == {"build": "ok", "runtime": "ok"}


def test_a_kit_for_another_gpu_is_refused_first(tmp_path) -> None:
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "architecture").write_text("80\n")
    done, stages = check(tmp_path, 'case "$*" in *compute_cap*) echo 9.0;; esac', SNN_GPU_KIT=str(kit))
    assert done.returncode == 1
    assert stages["gpu"].endswith("the kit is for sm_80, this GPU is sm_90: make one with ARCHITECTURE=90")
    assert stages["runtime"] == "not run: it needs a GPU"


def test_cudnn_is_found_by_either_of_its_names(tmp_path) -> None:
    kit, cudnn = tmp_path / "kit", tmp_path / "cudnn"
    kit.mkdir()
    cudnn.mkdir()
    (kit / "architecture").write_text("80\n")
    (cudnn / "libcudnn.so.9").touch()
    said = f"{tmp_path / 'nowhere'}{os.pathsep}{cudnn}"
    check(tmp_path, 'echo "$LD_LIBRARY_PATH" > "$(dirname "$0")/path"', SNN_GPU_KIT=str(kit), LD_LIBRARY_PATH=said)
    assert (tmp_path / "out" / "libraries" / "libcudnn.so").resolve() == cudnn / "libcudnn.so.9"
    assert (tmp_path / "path").read_text().rstrip("\n").split(os.pathsep)[-1] == str(tmp_path / "out" / "libraries")


def test_a_stage_that_hangs_is_ended(tmp_path) -> None:
    done, stages = check(tmp_path, "exec sleep 978", SNN_GPU_LIMIT="1")
    assert done.returncode == 1
    assert stages["gpu"].endswith("not done after 1 s")
    assert "sleep 978" not in subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout


def test_what_is_measured_is_what_is_run() -> None:
    """A bound run gives the operator's own output, each time, also when nobody else keeps its inputs."""
    currents = np.random.default_rng(0).uniform(0, 3, 32 * 7).astype(np.float32)
    operator = OPERATORS["IF"]
    zeros = np.zeros((4, 1), np.float32)
    numbers = [currents, np.asarray(32), np.ones((), np.float32), *zeros[:2], np.asarray(0), *zeros[2:]]
    feed = {tensor.name: array for tensor, array in zip(operator.inputs, numbers, strict=True)}
    arrays = [weakref.ref(array) for array in feed.values()]
    (expected, *_) = OPERATORS["IF"].run(*feed.values())
    run = BoundRun(SingleOperator("IF").session(*feed.values()), "cpu", feed, "spikes")
    del feed, currents, numbers, zeros
    gc.collect()
    assert all(array() is not None for array in arrays)
    for _ in range(2):
        np.testing.assert_array_equal(run().numpy(), expected)


def test_a_row_that_fails_leaves_the_others(tmp_path) -> None:
    """The file is written after each, and keeps what other parts wrote."""
    path = tmp_path / "out.json"
    Results(path, {"device": "this"}).add("earlier", {"a": 1})
    results = Results(path, {"device": "that"})
    for row in (attempt({"name": "good"}, lambda: {"value": 1.0}), attempt({"name": "bad"}, lambda: {"value": 1 // 0})):
        results.add("checks", row)
        assert json.loads(path.read_text())["checks"][-1] == row
    content = json.loads(path.read_text())
    assert content["checks"][1]["not_run"].startswith("ZeroDivisionError")
    assert (content["device"], content["earlier"]) == ("that", [{"a": 1}])
