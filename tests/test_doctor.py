"""What `doctor` finds: here all is well; broken installs are made in processes and folders of their own."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter import doctor
from converter.doctor import Diagnosis, Finding, TrialError, diagnose, gpu_names, requirements, trial
from tests.test_cli import CONVERT, run_command_without

HERE = Path(__file__).parents[1]


def test_all_is_well_here() -> None:
    found = diagnose()
    assert not found.wrong, found.wrong
    text = "\n".join(found.lines())
    for word in ("onnx-snn", "numpy", "CPUExecutionProvider", "libonnx_snn.so", "instruction set", "Nothing is wrong."):
        assert word in text
    assert max(map(len, text.splitlines())) < 80
    assert found.extras["convert"] == []
    assert found.summary()["ok"]


def test_the_trial_is_two_neurons_and_no_function_could_run_in_their_place() -> None:
    """Voltages by hand: from 0.5, currents 0.3 and 1.0, thresholds of 1."""
    model = onnx.load_from_string(base64.b64decode(doctor.MODEL))
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["IF"]
    assert not model.functions
    voltage, spikes = np.full(2, 0.5), []
    for _ in range(4):
        voltage += doctor.CURRENTS
        fired = (voltage >= 1).astype(float)
        voltage -= fired
        spikes.append(fired.tolist())
    assert spikes == doctor.SPIKES
    assert trial("cpu")["spikes"] == spikes


@pytest.mark.parametrize(
    ("library", "reason"), [("lost.so", "lost.so does not exist"), ("text.so", "is no library of operators")]
)
def test_a_library_that_cannot_be_used(monkeypatch, tmp_path, library, reason) -> None:
    (tmp_path / "text.so").write_text("no library")
    monkeypatch.setenv("ONNX_SNN_LIBRARY", str(tmp_path / library))
    found = diagnose()
    assert [finding.what for finding in found.wrong] == ["native library"]
    assert reason in found.wrong[0].wrong
    assert found.summary()["first"] == "correct or unset the environment variable ONNX_SNN_LIBRARY"
    assert "do first:  correct or unset" in "\n".join(found.lines())


def test_a_process_that_ends_is_told(monkeypatch) -> None:
    for program, reason in (
        ("import os; os.kill(os.getpid(), 11)", "it ended the process (signal 11)"),
        ("raise ValueError('no such thing')", "no such thing"),
        ("import sys; sys.exit(3)", "it gave no message"),
        ("print('{\"spikes\": []}')", f"a small model gives [] instead of {doctor.SPIKES}"),
    ):
        monkeypatch.setattr(doctor, "_TRIAL", program)
        with pytest.raises(TrialError) as error:
            trial("cpu")
        assert str(error.value) == reason
    monkeypatch.setattr(doctor, "_TRIAL", "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "SECONDS", 0.2)
    with pytest.raises(TrialError, match="did not finish"):
        trial("cpu")


def versions(monkeypatch, **given: str) -> None:
    """These packages in these versions are installed here, and no others."""
    monkeypatch.setattr(doctor, "version_of", lambda name: given.get(name.replace("-", "_"), ""))


def test_packages_that_are_missing_old_or_twice(monkeypatch) -> None:
    needs = {"": {"numpy": ">=1.26"}, "cpu": {"onnxruntime": ">=1.24"}, "convert": {"onnx": ">=1.19", "rich": ">=13"}}
    monkeypatch.setattr(doctor, "requirements", lambda: needs)
    monkeypatch.setattr(doctor, "trial", lambda provider: {"isa": "avx2", "library": "l.so"})
    whole = {"numpy": "2.0.1", "onnxruntime": "1.24.0", "onnx": "1.19", "rich": "14.1.0"}
    cases: list[tuple[dict[str, str], str]] = [
        ({}, ""),
        ({"numpy": ""}, "pip install 'onnx-snn'"),
        ({"numpy": "1.25.9"}, "pip install 'onnx-snn' --upgrade"),
        ({"onnxruntime": ""}, "pip install 'onnx-snn[cpu]'"),
        ({"numpy": "", "onnxruntime": ""}, "pip install 'onnx-snn[cpu]'"),
        ({"onnxruntime": "1.9.0"}, "pip install 'onnx-snn[cpu]' --upgrade"),
        (
            {"onnxruntime_gpu": "1.24"},
            "pip uninstall onnxruntime onnxruntime-gpu, then pip install 'onnx-snn[cpu]' or 'onnx-snn[gpu]'",
        ),
        ({"onnx": "1.18"}, "pip install 'onnx-snn[convert]' --upgrade"),
        ({"onnx": "", "rich": ""}, ""),  # a deployment does without
    ]
    for change, first in cases:
        versions(monkeypatch, **{**whole, **change})
        found = diagnose()
        assert (found.summary()["first"] or "") == first, change
    assert "convert models: pip install 'onnx-snn[convert]'" in "\n".join(found.lines())


def test_requirements_are_those_of_the_package(monkeypatch) -> None:
    lines = [
        "numpy>=1.26",
        'onnx>=1.19; extra == "convert"',
        'tomli>=2; python_version < "3.11" and extra == "convert"',
        'onnx-snn[convert, cpu]; extra == "test"',
        'onnxruntime>=1.24; extra == "cpu"',
        "pytest>=8; extra == 'test'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    young = sys.version_info < (3, 11)
    convert = {"onnx": ">=1.19", **({"tomli": ">=2"} if young else {})}
    assert requirements() == {
        "": {"numpy": ">=1.26"},
        "convert": convert,
        "test": {**convert, "pytest": ">=8", "onnxruntime": ">=1.24"},
        "cpu": {"onnxruntime": ">=1.24"},
    }


def test_gpus(monkeypatch, tmp_path) -> None:
    """It is no fault to have none, or not to use it; it is one where ONNX Runtime is for it and cannot."""
    monkeypatch.setattr(doctor, "DRIVER", tmp_path / "lost")
    assert doctor._gpu() == Finding("GPU", "none of NVIDIA's, or no driver for it")
    card = tmp_path / "gpus" / "0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 44\n")
    assert gpu_names(tmp_path) == ("NVIDIA H100 80GB HBM3",)
    monkeypatch.setattr(doctor, "DRIVER", tmp_path)
    monkeypatch.setattr(doctor, "gpu_names", lambda: ("NVIDIA H100 80GB HBM3",))
    versions(monkeypatch, onnxruntime="1.24")
    assert not doctor._gpu().wrong
    assert "pip install 'onnx-snn[gpu]'" in doctor._gpu().do
    versions(monkeypatch, onnxruntime_gpu="1.24")

    def fails(provider: str) -> None:
        raise TrialError("no driver")

    monkeypatch.setattr(doctor, "trial", fails)
    assert doctor._gpu().wrong == "a spiking model does not run on it: no driver"


@pytest.mark.parametrize("missing", [CONVERT, ("onnxruntime",), (*CONVERT, "onnxruntime", "numpy")])
def test_the_command_runs_without_what_other_commands_need(missing) -> None:
    """The packages are there, and cannot be imported, as in an install that broke."""
    done = run_command_without(missing, "doctor", "--json", "-")
    found = json.loads(done.stdout)
    assert done.stderr == ""
    broken = [finding for finding in found["findings"] if finding["wrong"]]
    assert (done.returncode, found["ok"]) == (int("onnxruntime" in missing), "onnxruntime" not in missing)
    assert [finding["what"] for finding in broken] == (["ONNX Runtime"] if "onnxruntime" in missing else [])


def test_without_any_package_it_needs_python_alone() -> None:
    program = f"import sys; sys.path.insert(0, {str(HERE)!r})\nfrom converter.cli import main\nmain()"
    line = [sys.executable, "-S", "-I", "-c", program]
    done = subprocess.run([*line, "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "do first:  pip install 'onnx-snn[cpu]'" in done.stdout
    done = subprocess.run([*line, "doctor", "--colour"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_hints_are_no_faults() -> None:
    found = Diagnosis([Finding("GPU", "one", do="use it")], {"gpu": ["onnxruntime-gpu"], "cpu": []})
    lines = list(found.lines())
    assert lines[-2:] == ["Nothing is wrong.", "You may want to: use it"]
    assert any("cpu" in line and "gpu" not in line for line in lines)
    assert any("gpu (lacks onnxruntime-gpu)" in line for line in lines)
    assert "\x1b" not in "".join(Diagnosis([Finding("a", "\x1b[31m")]).lines())
