"""The commands on good input, one after the other: results, files, JSON, and silence where it belongs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx

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
