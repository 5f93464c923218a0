"""onnx-snn evaluate: without labels or the trained model, and with the file's own functions."""

from __future__ import annotations

import json
from pathlib import Path

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
