"""Converted models on a GPU: ONNX_SNN_TEST_PROVIDER=cuda (tools/gpu_check.sh, tools/gpu_rehearsal)."""

from __future__ import annotations

import os
from importlib import resources

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.graph.build import add_functions, to_proto
from converter.spiking.expose_states import expose_states
from snn_ops.provider import start_session
from tests.models import convnet, samples, save
from tests.ops.provider import PROVIDER
from tests.spiking.test_expose_states import one_neuron_layer

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


@pytest.mark.skipif("gpu_rehearsal" not in os.environ.get("LD_PRELOAD", ""), reason="only tools/gpu_rehearsal tells")
@pytest.mark.parametrize("op_type", ["IF", "LIF", "SigmaDelta", "RunningMean", "PoissonSpiking"])
def test_a_chunk_waits_for_nothing_and_allocates_nothing(op_type, monkeypatch, capfd) -> None:
    """Input in, kernels, output out; n_steps is read, and steps are counted, without the device being asked."""
    model = ir.from_proto(one_neuron_layer(op_type))
    add_functions(model)
    expose_states(model)
    stream = snn_ops.Session(to_proto(model), provider="cuda").stream()
    x = np.ones((3, 7), np.float32)
    for _ in range(3):  # until ONNX Runtime's memory has its size
        stream.run(x, 4)
    capfd.readouterr()
    monkeypatch.setenv("REHEARSAL_LOG", "1")
    stream.run(x, 4)
    said = [line.removeprefix("cuda: ") for line in capfd.readouterr().err.splitlines() if line.startswith("cuda: ")]
    kernels = [place for place, what in enumerate(said) if what == "kernel"]
    assert kernels
    assert set(said[: kernels[0]]) == {"copy in"}
    assert set(said[kernels[0] : kernels[-1] + 1]) == {"kernel"}
    assert "allocation" not in said
    assert said[kernels[-1] + 1] == "copy out"
