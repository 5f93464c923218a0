"""onnx-snn evaluate: without labels or the trained model, and with the file's own functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest


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


def test_evaluate_counts_the_spikes_of_its_samples(command, folder) -> None:
    """By hand, from the rates of the longest run; the table says the same."""
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "delta", "--analog-input")
    arguments = ("evaluate", "m.snn.onnx", "--data", "test.npz", "--steps", "1,3")
    figures = json.loads(command(*arguments, "--json", "-").out)
    work, rates = figures["work"], list(figures["spike_rates"].values())
    assert work["n_steps"] == 3
    operations = 3 * (rates[0] * 16 * 12 + rates[1] * 12 * 4)
    assert work["synaptic_operations"] == pytest.approx(operations)
    assert work["spikes_per_synapse"] == pytest.approx(operations / (16 * 12 + 12 * 4))
    trained = 8 * 16 + 16 * 12 + 12 * 4
    assert work["energy_ratio"] == pytest.approx((0.9 * operations + 4.6 * 8 * 16) / 4.6 / trained)
    table = command(*arguments).out
    assert f"{operations:,.0f}" in table
    assert "spikes per synapse" in table


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
    assert "labels" not in done.err
    with np.load("test.npz") as archive:
        np.savez("from_1.npz", x=archive["x"], y=archive["y"] + 1)
    done = command("evaluate", "m.snn.onnx", "--data", "from_1.npz", "--stream", "--steps", "1", "--json", "e.json")
    (note,) = json.loads(Path("e.json").read_text())["notes"]
    assert note.startswith("the labels `y` run from 1 to 4, the model's classes from 0 to 3; they seem to begin at 1")
    assert f"note: {note}" in " ".join(done.err.split())


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
