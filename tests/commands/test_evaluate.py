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


def test_a_stream(command, folder) -> None:
    """Beside the trained model, in the table and as JSON; a file that does not follow its input is told."""
    options = "--calibration", "calibration.npz", "--streaming", "--code", "rate", "--steps", "8"
    assert command("convert", "m.onnx", *options, "--readout", "leaky").code == 0
    done = command("evaluate", "m.snn.onnx", "--data", "test.npz", "--stream", "--json", "e.json")
    assert done.code == 0, done.err
    assert "does not follow" not in done.err + done.out
    figures = json.loads(Path("e.json").read_text())
    assert figures["n_steps"] == 8
    assert len(figures["frames"]) == figures["parts"]["all"]["frames"]
    assert 0 < figures["ann"]["accuracy"] <= 1
    assert figures["parts"]["all"]["agreement"] > 0.7
    for word in ("trained model", "first", "later", "all", "energy"):
        assert word in done.out
    assert "mean of everything" not in done.err
    assert command("convert", "m.onnx", *options).code == 0
    done = command("evaluate", "m.snn.onnx", "--data", "test.npz", "--stream", "--steps", "3")
    assert "mean of everything since the stream began" in done.err


def test_a_stream_is_refused(command, folder) -> None:
    assert command("convert", "m.onnx", "--calibration", "calibration.npz").code == 0
    for extra, words in (
        ((), "it was not made for streams; convert it with --streaming"),
        (("--steps", "4,8"), "--steps 4,8 names several"),
        (("--picture", "p.png"), "a stream has no picture"),
    ):
        done = command("evaluate", "m.snn.onnx", "--data", "test.npz", "--stream", *extra)
        assert done.code == 1
        assert words in done.err
        assert done.err.count("\n") == 1
