"""Converted models on a GPU: ONNX_SNN_TEST_PROVIDER=cuda (tools/gpu_check.sh, tools/gpu_rehearsal)."""

from __future__ import annotations

import os
from importlib import resources

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

import snn_ops
import snn_ops.session
from converter.conversion.main import convert
from converter.graph.build import add_functions, to_proto
from converter.spiking.expose_states import expose_states
from snn_ops.provider import start_session
from tests.models import convnet, samples, save
from tests.ops.provider import PROVIDER
from tests.spiking.test_expose_states import one_neuron_layer

pytestmark = pytest.mark.skipif(PROVIDER != "cuda", reason="not on a GPU: ONNX_SNN_TEST_PROVIDER is not cuda")

IN_REHEARSAL = "gpu_rehearsal" in os.environ.get("LD_PRELOAD", "")
ON_THE_STAND_IN = pytest.mark.skipif(not IN_REHEARSAL, reason="only tools/gpu_rehearsal tells")
ON_A_GPU = pytest.mark.skipif(IN_REHEARSAL, reason="tools/gpu_rehearsal has no cuDNN")

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


def streaming_layer(op_type: str, *, last: bool = False) -> onnx.ModelProto:
    """x -> the operator, its state an input and an output; what it gives is every step's row, or that of the last one."""
    layer = one_neuron_layer(op_type)
    if last:
        every = layer.graph.output[0].name
        layer.graph.node.append(onnx.helper.make_node("TimeLast", [every, "n_steps"], ["last"], domain=snn_ops.DOMAIN))
        layer.graph.output[0].name = "last"
        layer.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    model = ir.from_proto(layer)
    add_functions(model)
    expose_states(model)
    return to_proto(model)


def said_by(capfd) -> list[str]:
    """What the stand-in for the CUDA runtime was asked to do since the last time."""
    return [line.removeprefix("cuda: ") for line in capfd.readouterr().err.splitlines() if line.startswith("cuda: ")]


@ON_THE_STAND_IN
@pytest.mark.parametrize("op_type", ["IF", "LIF", "SigmaDelta", "RunningMean", "PoissonSpiking"])
def test_a_chunk_waits_for_nothing_and_allocates_nothing(op_type, monkeypatch, capfd) -> None:
    """Input in, kernels, output out; n_steps is read, and steps are counted, without the device being asked."""
    stream = snn_ops.Session(streaming_layer(op_type), provider="cuda").stream()
    x = np.ones((3, 7), np.float32)
    for _ in range(3):  # until ONNX Runtime's memory has its size
        stream.run(x, 4)
    capfd.readouterr()
    monkeypatch.setenv("REHEARSAL_LOG", "1")
    stream.run(x, 4)
    said = said_by(capfd)
    kernels = [place for place, what in enumerate(said) if what == "kernel"]
    assert kernels
    assert set(said[: kernels[0]]) == {"copy in"}
    assert set(said[kernels[0] : kernels[-1] + 1]) == {"kernel"}
    assert "allocation" not in said
    assert said[kernels[-1] + 1] == "copy out"


@ON_THE_STAND_IN
@pytest.mark.parametrize("op_type", ["IF", "LIF", "SigmaDelta", "RunningMean", "PoissonSpiking"])
def test_chunks_share_one_upload_and_one_way_back(op_type, monkeypatch, capfd) -> None:
    """As many copies in three chunks as in one, and none of them between the kernels."""
    monkeypatch.setattr(snn_ops.session, "ROWS", 12)
    stream = snn_ops.Session(streaming_layer(op_type, last=True), provider="cuda").stream()
    x = np.ones((3, 7), np.float32)
    counts = []
    for steps in (4, 12):
        for _ in range(3):
            stream.run(x, steps)
        capfd.readouterr()
        monkeypatch.setenv("REHEARSAL_LOG", "1")
        stream.run(x, steps)
        monkeypatch.delenv("REHEARSAL_LOG")
        said = said_by(capfd)
        kernels = [place for place, what in enumerate(said) if what == "kernel"]
        assert set(said[kernels[0] : kernels[-1] + 1]) <= {"kernel", "wait"}
        assert "allocation" not in said
        counts.append({what: said.count(what) for what in ("kernel", "copy in", "copy out")})
    assert counts[1] == {**counts[0], "kernel": 3 * counts[0]["kernel"]}
    assert counts[0]["copy in"] == (2 if op_type == "PoissonSpiking" else 1)  # first_sample
    assert counts[0]["copy out"] == 1


@pytest.mark.parametrize("op_type", ["IF", "PoissonSpiking"])
def test_calls_of_one_size_are_one_run(op_type) -> None:
    """A last call takes samples again; rows for each step, and what random neurons draw, stay in their places."""
    x = np.random.default_rng(0).uniform(0, 2, (11, 7)).astype(np.float32)
    proto = streaming_layer(op_type)
    expected = snn_ops.Session(proto, n_steps=4).run(x)[0]
    found = snn_ops.Session(proto, n_steps=4, batch_size=4, provider="cuda").run(x)[0]
    np.testing.assert_array_equal(found, expected)


def test_provider_options_are_in_force() -> None:
    """Ours, the caller's over it, and a word about one that is not known."""
    proto = streaming_layer("LIF")

    def options(**given: str | int | bool) -> dict[str, str]:
        return snn_ops.Session(proto, provider="cuda", provider_options=given).ort.get_provider_options()[
            "CUDAExecutionProvider"
        ]

    assert options()["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options()["use_tf32"] == "1"
    found = options(cudnn_conv_algo_search="DEFAULT", use_tf32=False, device_id=0, enable_cuda_graph=True)
    names = ("cudnn_conv_algo_search", "use_tf32", "device_id", "enable_cuda_graph")
    assert [found[name] for name in names] == ["DEFAULT", "0", "0", "1"]
    with pytest.raises(
        RuntimeError, match=r'^CUDAExecutionProvider could not be started: Unknown provider option: "tf"'
    ):
        options(tf=1)
    with pytest.raises(RuntimeError, match=r"could not be started: .*Invalid device ID: 99"):
        options(device_id=99)


def test_session_and_stream_replay_no_cuda_graph() -> None:
    """A replay would compute from the first run's samples, for the first run's number of steps."""
    proto = streaming_layer("LIF")
    graph = snn_ops.Session(proto, provider="cuda", provider_options={"enable_cuda_graph": True})
    plain = snn_ops.Session(proto, provider="cuda")
    x = np.random.default_rng(0).uniform(0, 3, (3, 7)).astype(np.float32)
    a, b = graph.stream(), plain.stream()
    for factor, steps in ((1, 4), (2, 8), (3, 8), (1, 3)):
        np.testing.assert_array_equal(
            graph.run(np.float32(factor) * x, n_steps=steps)[0], plain.run(np.float32(factor) * x, n_steps=steps)[0]
        )
        np.testing.assert_array_equal(a.run(np.float32(factor) * x, steps)[0], b.run(np.float32(factor) * x, steps)[0])


@ON_A_GPU
@pytest.mark.parametrize("name", ["lenet5_relu", "lenet5_tanh"])
def test_chunks_of_whole_models(name) -> None:
    """cuDNN and cuBLAS choose how they sum by the number of rows, so that single spikes may come a step earlier or later.

    What a sum that rounds otherwise moves is bounded here; our own kernels give the same bits (tests/ops/test_chunks.py).
    """
    folder = resources.files("converter.demo") / "data"
    with np.load(str(folder / "mnist_calibration.npz")) as file:
        x = file["x"].astype(np.float32) / 255
    proto = convert(
        str(folder / f"{name}.onnx"), x[:40], method="percentile", correction="none", streaming=True
    ).proto()
    session = snn_ops.Session(proto, provider="cuda", provider_options={"use_tf32": 0})
    whole = session.run_batch({session.input_names[0]: x}, 20)[0]
    stream = session.stream()
    for steps in (1, 5, 2, 12):
        (found, *_) = stream.run(x, steps)
    assert np.linalg.norm(found - whole) <= 1e-3 * np.linalg.norm(whole)
    assert (found.argmax(axis=1) == whole.argmax(axis=1)).mean() >= 0.99
