"""onnx-snn train."""

from __future__ import annotations

import importlib.util

import numpy as np
import onnx
import pytest

from converter.io.weights import weights_of
from snn_ops.format import Metadata
from tests.commands.conftest import measurements


@pytest.mark.skipif(importlib.util.find_spec("nengo_dl") is None, reason="NengoDL is not installed")
@pytest.mark.usefixtures("spiking")
def test_training_drops_what_was_measured_with_the_old_weights(command) -> None:
    done = command(
        "train", "m.snn.onnx", "--data", "test.npz", "-o", "trained.snn.onnx", "--batch", "5", "--epochs", "1"
    )
    assert done.code == 0, done.err
    assert not measurements("trained.snn.onnx")


@pytest.mark.skipif(importlib.util.find_spec("nengo_dl") is None, reason="NengoDL is not installed")
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_a_delta_file_stays_one(command, schedule) -> None:
    """With the options that it was converted with, and thresholds for the new weights."""
    options = ("--code", "delta", "--schedule", schedule, "--analog-input", "-o", "d.snn.onnx")
    assert command("convert", "m.onnx", "--calibration", "calibration.npz", *options).code == 0
    done = command(
        "train", "d.snn.onnx", "--data", "test.npz", "-o", "trained.snn.onnx", "--batch", "9", "--learning-rate", "0.1"
    )
    assert done.code == 0, done.err
    assert "thresholds, resting values and finest exponents follow" in " ".join(done.err.split())
    before, after = (Metadata.read(properties(onnx.load(name))) for name in ("d.snn.onnx", "trained.snn.onnx"))
    assert (after.code, after.schedule, after.n_steps, after.options) == (
        "delta",
        schedule,
        before.n_steps,
        before.options,
    )
    assert not measurements("trained.snn.onnx")
    old, new = (weights_of(onnx.load(name)) for name in ("d.snn.onnx", "trained.snn.onnx"))
    assert old.keys() == new.keys()
    assert not np.array_equal(old["a1_threshold"], new["a1_threshold"])
    assert command("verify", "trained.snn.onnx", "--data", "test.npz").code == 0


@pytest.mark.skipif(importlib.util.find_spec("nengo_dl") is None, reason="NengoDL is not installed")
@pytest.mark.usefixtures("folder")
def test_too_few_samples_for_thresholds_are_refused_before_training(command, folder) -> None:
    assert command("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "delta").code == 0
    np.savez(folder / "few.npz", x=np.random.default_rng(0).normal(size=(7, 8)), y=np.zeros(7, int))
    done = command("train", "m.snn.onnx", "--data", "few.npz", "-o", "o.snn.onnx", "--batch", "2")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "m.snn.onnx: the delta code needs at least 8 calibration samples" in done.err
    assert not list(folder.glob("o.*"))


def properties(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}
