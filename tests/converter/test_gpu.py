"""Converted models on a GPU: ONNX_SNN_TEST_PROVIDER=cuda (tools/gpu_check.sh, tools/gpu_rehearsal)."""

from __future__ import annotations

from importlib import resources

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion import convert
from snn_ops.provider import start_session
from tests.models import convnet, samples, save
from tests.ops.provider import PROVIDER

pytestmark = pytest.mark.skipif(PROVIDER != "cuda", reason="not on a GPU: ONNX_SNN_TEST_PROVIDER is not cuda")

OPTIONS = {
    "default": {},
    "two-phase": {"schedule": "two-phase"},
    "streaming": {"streaming": True},
    "few-spike": {"neuron": "few-spike", "schedule": "two-phase"},
    **{
        neuron: {"neuron": neuron} for neuron in ("if", "if-signed", "sigma-delta", "lif", "adaptive-lif", "izhikevich")
    },
}


@pytest.mark.parametrize("name", ["lenet5_relu", "lenet5_tanh", "convnet"])
@pytest.mark.parametrize("options", OPTIONS)
def test_no_node_is_left_on_the_cpu(name, options, tmp_path) -> None:
    """Nor is anything copied between nodes, then: ONNX Runtime refuses to start the session otherwise."""
    if name == "convnet":
        model = convnet()
        path, x = save(model, tmp_path / "m.onnx"), samples(model)
    else:
        folder = resources.files("converter.demo") / "data"
        path = str(folder / f"{name}.onnx")
        with np.load(str(folder / "mnist_calibration.npz")) as file:
            x = file["x"].astype(np.float32) / 255
    spiking = convert(path, x[:40], method="percentile", correction="none", n_steps=4, **OPTIONS[options]).proto()
    session_options = ort.SessionOptions()
    session_options.log_severity_level = 4
    session_options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    snn_ops.register(session_options)
    session = start_session(spiking.SerializeToString(), session_options, PROVIDER)
    assert session.get_providers()[0] == "CUDAExecutionProvider"
