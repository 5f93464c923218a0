"""NengoDL on the TensorFlow of today, and the line that a user reads where it is missing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("nengo")

import nengo

from converter.nengo.dl.shim import import_nengo_dl

needs_nengo_dl = pytest.mark.skipif(importlib.util.find_spec("nengo_dl") is None, reason="NengoDL is not installed")


@needs_nengo_dl
def test_nengo_dl_trains_and_keras_is_as_before() -> None:
    before = sys.modules.get("keras")
    nengo_dl = import_nengo_dl()
    assert sys.modules.get("keras") is before
    assert import_nengo_dl() is nengo_dl
    tf = importlib.import_module("tensorflow")

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (64, 1, 4)).astype(np.float32)
    with nengo.Network(seed=0) as network:
        nengo_dl.configure_settings(lif_smoothing=0.1)
        source = nengo.Node(np.zeros(4))
        layer = nengo_dl.Layer(nengo.LIF(amplitude=0.01))(nengo_dl.Layer(tf.keras.layers.Dense(16))(source))
        probe = nengo.Probe(nengo_dl.Layer(tf.keras.layers.Dense(1))(layer))
    with nengo_dl.Simulator(network, minibatch_size=16, progress_bar=False) as simulator:
        simulator.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss="mse")
        losses = simulator.fit({source: x}, {probe: x.sum(axis=2, keepdims=True)}, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("missing", ["tensorflow", "tf_keras", "nengo_dl"])
def test_says_what_is_missing(missing) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None
from converter.errors import RefusedError
from converter.nengo.dl.shim import import_nengo_dl
try:
    import_nengo_dl()
except RefusedError as error:
    print(error)
"""
    if missing != "tensorflow" and importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert said == f"{missing} is not installed; install onnx-snn[nengo] (Python 3.11)\n"


def test_nothing_else_needs_tensorflow() -> None:
    """The commands, the converter and the checks against nengo.Simulator import neither TensorFlow nor NengoDL."""
    code = """
import sys
import converter.commands.app, converter.nengo, converter.nengo.verify, converter.io.weights
assert not {"tensorflow", "nengo_dl", "tf_keras"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
