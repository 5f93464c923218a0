"""onnx-snn train."""

from __future__ import annotations

import importlib.util

import pytest

from tests.commands.conftest import measurements


@pytest.mark.skipif(importlib.util.find_spec("nengo_dl") is None, reason="NengoDL is not installed")
@pytest.mark.usefixtures("spiking")
def test_training_drops_what_was_measured_with_the_old_weights(command) -> None:
    done = command(
        "train", "m.snn.onnx", "--data", "test.npz", "-o", "trained.snn.onnx", "--batch", "5", "--epochs", "1"
    )
    assert done.code == 0, done.err
    assert not measurements("trained.snn.onnx")
