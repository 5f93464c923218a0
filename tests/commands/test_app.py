"""The commands on good input, one after the other: results, files, JSON, and silence where it belongs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

import snn_ops


def test_convert_evaluate_run_inspect(command, folder) -> None:
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "--steps", "16", "--json", "c.json")
    assert done.code == 0, done.err
    onnx.checker.check_model("m.snn.onnx")
    summary = json.loads(Path("c.json").read_text())
    assert [layer["name"] for layer in summary["layers"]] == ["x", "a1", "a2"]
    assert "a1" in done.out

    done = command(
        "evaluate", "m.snn.onnx", "--data", "test.npz", "--steps", "8,4", "--json", "e.json", "--picture", "e.png"
    )
    assert done.code == 0, done.err
    figures = json.loads(Path("e.json").read_text())
    assert 0 <= figures["ann"]["accuracy"] <= 1  # the trained model was found beside the spiking one
    assert [step["n_steps"] for step in figures["steps"]] == [4, 8]
    assert set(figures["steps"][0]) == {"n_steps", "accuracy", "agreement", "relative_error", "outputs"}
    assert Path("e.png").read_bytes().startswith(b"\x89PNG")

    done = command("run", "m.snn.onnx", "--input", "test.npz", "-o", "y.npz", "--steps", "4")
    assert done.code == 0, done.err
    assert done.out == ""
    x = np.load("test.npz")["x"]
    np.testing.assert_allclose(np.load("y.npz")["y"], snn_ops.Session("m.snn.onnx", n_steps=4).run(x)[0], rtol=1e-5)
    assert "largest" in command("run", "m.snn.onnx", "--input", "test.npz").out

    for model, word, layer in (("m.snn.onnx", "threshold", "a1"), ("m.onnx", "sigma-delta", "first")):
        done = command("inspect", model, "--json", "-")
        assert done.code == 0, done.err
        assert json.loads(done.out)["model"] == model
        assert word in done.out
        assert layer in command("inspect", model).out


@pytest.mark.parametrize(
    ("shell", "words", "expected"),
    [
        ("bash", "onnx-snn co", ["convert"]),
        ("bash", "onnx-snn convert --neuron i", ["if", "if-signed", "if-burst", "izhikevich"]),
        ("bash", "onnx-snn check --sch", ["--schedule"]),
        ("bash", "onnx-snn run --backend n", ["native", "numpy"]),
        ("zsh", "onnx-snn convert --code d", ["delta"]),
        ("fish", "onnx-snn evaluate --provider c", ["cpu", "cuda"]),
    ],
)
def test_a_shell_completes_commands_options_and_their_words(command, monkeypatch, shell, words, expected) -> None:
    """As the scripts ask for it that `--show-completion` prints."""
    count = len(words.split()) - 1
    for name, value in {
        "_ONNX_SNN_COMPLETE": f"complete_{shell}", "COMP_WORDS": words, "COMP_CWORD": str(count),
        "_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    done = command()
    assert done.code == 0, done.err
    assert re.findall(r"[\w-]+", done.out.replace("_arguments", "")) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(command, monkeypatch, shell) -> None:
    monkeypatch.setenv("_ONNX_SNN_COMPLETE", f"source_{shell}")
    done = command()
    assert done.code == 0
    assert "onnx-snn" in done.out
    assert f"complete_{shell}" in done.out
