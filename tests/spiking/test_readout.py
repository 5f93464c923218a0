"""Streams that forget: what a readout is of the values before it, chunk by chunk, and whole streams of digits."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import onnx
import pytest

import snn_ops
from converter import SpikingModel
from converter.conversion import build
from converter.conversion.main import convert
from converter.graph.run import start_quietly
from converter.normalise.ann import load_ann
from snn_ops.format import Metadata
from tests.models import convnet, mlp, samples, save, text_model

STEPS = 8
GATED = text_model(
    """
    gated (float[N,6] x) => (float[N,3] y)
    <float[6,8] W1, float[8,8] W2, float[8,8] W3, float[8,3] W4>
    {
      h1 = MatMul(x, W1)
      [first] a1 = Relu(h1)
      h2 = MatMul(a1, W2)
      [second] a2 = Tanh(h2)
      g = MatMul(a1, W3)
      s = Softmax(g)
      p = Mul(s, a2)
      y = MatMul(p, W4)
    }
    """
)
MODELS = {
    "mlp": (mlp(), "if-burst"),
    "convnet": (convnet(), "if"),
    "gated": (GATED, "auto"),
    "lif": (mlp(), "lif"),
    "tanh": (mlp("Tanh"), "lif"),
}


def streaming(name: str, readout: str, steps: int, folder: Any, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """A model whose readout looks back so many steps."""
    model, neuron = MODELS[name]
    path = save(model, folder / f"{name}.onnx")
    monkeypatch.setattr(build, "fit_readout", lambda *args: steps)
    return convert(
        path, samples(model)[:40], code="rate", neuron=neuron, n_steps=STEPS, streaming=True, readout=readout
    ).proto()


def after_every_step(proto: onnx.ModelProto, frames: list[np.ndarray], backend: str = "native") -> np.ndarray:
    """The output after each of the steps, each frame held for some."""
    stream = snn_ops.Session(proto, backend=backend).stream()
    return np.stack([stream.run(frame, 1)[0] for frame in frames])


def leaky(values: np.ndarray, steps: int) -> np.ndarray:
    result = [values[0]]
    for t, value in enumerate(values[1:], 2):
        result.append(result[-1] + (value - result[-1]) / min(t, steps))
    return np.stack(result)


def window(values: np.ndarray, steps: int) -> np.ndarray:
    return np.stack([values[max(0, t + 1 - steps) : t + 1].mean(axis=0) for t in range(len(values))])


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(("readout", "expected"), [("leaky", leaky), ("window", window)])
@pytest.mark.parametrize("name", ["mlp", "lif"])
def test_the_readout(name, readout, expected, backend, tmp_path, monkeypatch) -> None:
    """Where the last layer is linear, the answer is that mean of what a readout without memory gives."""
    x = samples(MODELS[name][0])[:6]
    frames = [x] * 9 + [x[::-1].copy()] * 9
    values = after_every_step(streaming(name, "leaky", 1, tmp_path, monkeypatch), frames)
    found = after_every_step(streaming(name, readout, 5, tmp_path, monkeypatch), frames, backend)
    np.testing.assert_allclose(found, expected(values.astype(np.float64), 5), rtol=1e-4, atol=1e-5)
    assert np.abs(values[-1] - values[8]).max() > 0.1  # there is something to forget


@pytest.mark.parametrize("readout", ["leaky", "window"])
@pytest.mark.parametrize("name", MODELS)
def test_chunks_have_the_same_bits(name, readout, tmp_path, monkeypatch) -> None:
    proto = streaming(name, readout, 3, tmp_path, monkeypatch)
    session, x = snn_ops.Session(proto), samples(MODELS[name][0])[:6]
    streams = [session.stream() for _ in range(3)]
    for frame in (x, -x):
        streams[0].run(frame, 11)
        for count in (1, 3, 7):
            streams[1].run(frame, count)
        for _ in range(11):
            streams[2].run(frame, 1)
    expected, *others = ({**stream.save(), "y": stream.run(x, 1)[0]} for stream in streams)
    for found in others:
        assert found.keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(found[key], array, err_msg=key)


@pytest.mark.parametrize("readout", ["leaky", "window"])
@pytest.mark.parametrize("name", MODELS)
def test_earlier_inputs_are_forgotten(name, readout, tmp_path, monkeypatch) -> None:
    """After a hundred steps of another input an answer is as close to the trained model's as without it."""
    alike = {"leaky": 6, "window": 11}  # as noisy
    proto = streaming(name, readout, alike[readout], tmp_path, monkeypatch)
    x, path = samples(MODELS[name][0])[:8], tmp_path / f"{name}.onnx"
    trained = start_quietly(load_ann(path).model).run(None, {"x": x})[0]
    usual = snn_ops.Session(proto).run(x, n_steps=24)[0]
    assert error_after_another(proto, x, trained) <= 1.5 * error(usual, trained) + 0.02
    remembering = convert(path, samples(MODELS[name][0])[:40], code="rate", n_steps=STEPS, streaming=True).proto()
    assert error_after_another(remembering, x, trained) > 1.5 * error_after_another(proto, x, trained)


def error_after_another(proto: onnx.ModelProto, x: np.ndarray, trained: np.ndarray) -> float:
    stream = snn_ops.Session(proto).stream()
    stream.run(-3 * x[::-1].copy(), 100)
    return error(stream.run(x, 24)[0], trained)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_the_file_says_so(tmp_path, monkeypatch) -> None:
    for readout in ("leaky", "window"):
        proto = streaming("mlp", readout, 4, tmp_path, monkeypatch)
        metadata = SpikingModel("m.snn.onnx", proto).metadata
        assert (metadata.readout, metadata.readout_steps) == (readout, 4)
        onnx.checker.check_model(proto)
    assert (Metadata.read({}).readout, Metadata.read({}).readout_steps) == ("mean", 0)


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """50 streams of 20 embedded test digits one after the other, their labels, and training images."""
    folder = resources.files("converter.demo") / "data"
    with np.load(str(folder / "mnist_test.npz")) as test, np.load(str(folder / "mnist_calibration.npz")) as training:
        x, y = test["x"].astype(np.float32) / 255, test["y"]
        return (
            x.reshape(50, 20, 1, 28, 28).swapaxes(0, 1),
            y.reshape(50, 20).T,
            training["x"].astype(np.float32) / 255,
        )


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({"code": "delta"}, 0.97),
        ({"code": "rate", "neuron": "if-burst", "readout": "leaky"}, 0.97),
        ({"code": "rate", "neuron": "if-burst", "readout": "window"}, 0.97),
        pytest.param({"code": "rate", "neuron": "lif", "readout": "leaky"}, 0.93, marks=pytest.mark.slow),
        pytest.param({"code": "rate", "neuron": "lif", "readout": "window"}, 0.95, marks=pytest.mark.slow),
    ],
    ids=lambda value: ", ".join(value.values()) if isinstance(value, dict) else "",
)
def test_digits_one_after_the_other(options, least) -> None:
    """Without a reset, 8 steps each; nothing is fitted on these digits."""
    x, y, training = digits()
    path = str(resources.files("converter.demo") / "data" / "lenet5_relu.onnx")
    if options["code"] == "rate":
        options = {**options, "n_steps": 8}
    proto = convert(path, training, streaming=True, **options).proto()
    (found,) = snn_ops.Session(proto).run_sequence(x, n_steps=8)
    assert (found.argmax(-1) == y)[1:].mean() >= least
