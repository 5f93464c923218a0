"""onnx-snn evaluate: without labels or the trained model, and with the file's own functions."""

from __future__ import annotations

import json
from pathlib import Path


def test_evaluate_without_labels_and_without_the_trained_model(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    Path("m.onnx").rename("elsewhere.onnx")
    done = command("evaluate", "m.snn.onnx", "--data", "calibration.npz", "--json", "-")
    figures = json.loads(done.out)
    assert figures["ann"] == {"accuracy": None}
    nothing = {"accuracy": None, "agreement": None, "relative_error": None, "outputs": {}}
    assert figures["steps"][0] == {"n_steps": 1, **nothing}
    done = command("evaluate", "m.snn.onnx", "--data", "calibration.npz", "--against", "elsewhere.onnx", "--json", "-")
    assert json.loads(done.out)["steps"][-1]["agreement"] > 0.8


def test_portable_gives_the_same(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    results = [
        json.loads(command("evaluate", "m.snn.onnx", "--data", "test.npz", "--json", "-", *extra).out)["steps"]
        for extra in ((), ("--backend", "functions"))
    ]
    for a, b in zip(*results, strict=True):
        assert a["agreement"] == b["agreement"]
