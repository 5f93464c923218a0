"""Conversion: what stands where in the spiking model, and that it computes what it should."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from tests.models import batchnorm_net, convert_model, convnet, initializer, mlp, samples, save, text_model, types


def test_one_node_for_one_node(tmp_path) -> None:
    """The SNN reads like the ANN with Relu replaced: no TimeRepeat, TimeMean behind the last neuron."""
    _, snn = convert_model(mlp(), tmp_path)
    assert types(snn) == ["Gemm", "IF", "Gemm", "IF", "TimeMean", "Gemm"]
    assert [node.name for node in snn.graph.node][1:4:2] == ["first", "second"]
    constant = [
        {a.name: a.i for a in node.attribute}["constant_current"] for node in snn.graph.node if node.op_type == "IF"
    ]
    assert constant == [1, 0]  # the first layer runs once


def test_shortcut_gets_time_repeat_and_tail_runs_on_the_mean(tmp_path) -> None:
    conversion, snn = convert_model(convnet(), tmp_path)
    found = types(snn)
    assert found.count("TimeRepeat") == 1  # the shortcut around the first neuron
    assert found.count("TimeMean") == 1
    assert all(found.index("TimeMean") < found.index(op_type) for op_type in ("MaxPool", "AveragePool", "Softmax"))
    assert not conversion.islands  # MaxPool runs once, on the mean
    assert [layer.channels for layer in conversion.layers] == [6, 6]


def test_if_network_step_by_step(tmp_path) -> None:
    """The spiking model against a simulation in plain NumPy: a loop over time, a loop over layers."""
    model = mlp()
    _, snn = convert_model(model, tmp_path, neuron="if", method="percentile", correction="none")
    weights = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    x, steps = samples(model, 20, seed=3), 25
    threshold = [initializer(snn, f"{name}_threshold").astype(np.float64) for name in ("first", "second")]
    voltage = [initializer(snn, f"{name}_voltage") + np.zeros((20, n)) for name, n in (("first", 16), ("second", 12))]
    total = np.zeros((20, 12))
    for _ in range(steps):
        current = x @ weights["W1"] + weights["B1"]
        for layer in range(2):
            voltage[layer] = voltage[layer] + current
            spikes = (voltage[layer] >= threshold[layer]) * threshold[layer]
            voltage[layer] = voltage[layer] - spikes
            if layer == 0:
                current = spikes @ weights["W2"] + weights["B2"]
        total += spikes
    expected = total / steps @ weights["W3"] + weights["B3"]
    (found,) = snn_ops.Session(snn, n_steps=steps).run(x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid"])
@pytest.mark.parametrize("build", ["mlp", "convnet", "batchnorm_net"])
def test_approaches_the_trained_model(activation, build, tmp_path) -> None:
    """The error falls with the number of steps, to at most 3 % at T = 256."""
    model = {"mlp": mlp, "convnet": convnet, "batchnorm_net": batchnorm_net}[build]()
    for node in model.graph.node:
        node.op_type = activation if node.op_type == "Relu" else node.op_type
    conversion, snn = convert_model(model, tmp_path, percentile=100.0)
    x = samples(model)
    session = ort.InferenceSession(model.SerializeToString())
    name = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {name: x[i : i + 1]})[0] for i in range(len(x))])
    errors = [
        np.linalg.norm(snn_ops.Session(snn, n_steps=steps).run(x)[0] - expected) / np.linalg.norm(expected)
        for steps in (4, 32, 256)
    ]
    assert errors[0] > errors[2]
    assert errors[1] > errors[2]
    assert errors[2] < 0.03
    assert {layer.neuron for layer in conversion.layers} == {"IF" if activation == "Relu" else "SigmaDelta"}


@pytest.mark.parametrize(
    ("neuron", "op_type", "most"),
    [("lif", "LIF", 0.1), ("adaptive-lif", "AdaptiveLIF", 0.15), ("izhikevich", "Izhikevich", 0.3)],
)
def test_fitted_neurons_follow_relu(neuron, op_type, most, tmp_path) -> None:
    model = mlp()
    conversion, snn = convert_model(model, tmp_path, neuron=neuron, n_steps=200)
    assert types(snn).count(op_type) == 2
    x = samples(model)
    session = ort.InferenceSession(model.SerializeToString())
    (expected,) = session.run(None, {"x": x})
    (found,) = snn_ops.Session(snn).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < most
    for layer in conversion.layers:
        assert 0 < layer.spike_rate < 0.5
        assert layer.threshold[1] > 0


def test_portable_and_native_agree_and_steps_change_at_run_time(tmp_path) -> None:
    """Plain ``ort.InferenceSession`` without the library, as a user would write it."""
    _, snn = convert_model(convnet(), tmp_path, n_steps=8)
    x = samples(snn, 6)
    plain = ort.InferenceSession(tmp_path / "m.snn.onnx")
    name = plain.get_inputs()[0].name
    assert [i.name for i in plain.get_inputs()] == [name]
    native = ort.InferenceSession(tmp_path / "m.snn.onnx", snn_ops.register(ort.SessionOptions()))
    default = plain.run(None, {name: x})[0]
    for steps in (1, 8, 33):
        feed = {name: x, "n_steps": np.asarray(steps)}
        a, b = (session.run(None, feed)[0] for session in (plain, native))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        assert np.array_equal(a, default) == (steps == 8)


def test_samples_do_not_influence_each_other(tmp_path) -> None:
    _, snn = convert_model(convnet(), tmp_path)
    x = samples(snn, 9)
    whole = snn_ops.Session(snn, batch_size=9).run(x)[0]
    alone = snn_ops.Session(snn, batch_size=1).run(x)[0]
    np.testing.assert_allclose(whole, alone, rtol=1e-5, atol=1e-6)


def test_float64_model(tmp_path) -> None:
    model = text_model(
        "m (double[N,6] x) => (double[N,3] y) <double[6,5] W, double[5,3] V> { h = MatMul(x, W) r = Relu(h) y = MatMul(r, V) }"
    )
    path = save(model, tmp_path / "m.onnx")
    x = samples(model).astype(np.float64)
    conversion = convert(path, x, percentile=100.0)
    (found,) = snn_ops.Session(conversion.proto(), n_steps=512).run(x)
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    assert found.dtype == np.float64
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.01


def test_several_outputs_and_a_shared_activation(tmp_path) -> None:
    """An activation that two layers and an output use; the output keeps its name."""
    model = text_model(
        """m (float[N,6] x) => (float[N,5] a, float[N,3] y, float[N,2] z) <float[6,5] W, float[5,3] V, float[5,2] U> {
          h = MatMul(x, W)  a = Relu(h)  y0 = MatMul(a, V)  y = Relu(y0)  z = MatMul(a, U) }"""
    )
    conversion, snn = convert_model(model, tmp_path, percentile=100.0)
    x = samples(model)
    assert [output.name for output in snn.graph.output] == ["a", "y", "z"]
    expected = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    found = snn_ops.Session(conversion.proto(), n_steps=512).run(x)
    for a, b in zip(found, expected, strict=True):
        assert np.linalg.norm(a - b) / np.linalg.norm(b) < 0.02


@pytest.mark.parametrize("neuron", ["if", "if-burst", "few-spike"])
def test_two_phase_is_the_quantised_network(neuron, tmp_path) -> None:
    """Layer by layer in NumPy: round, clip, multiply."""
    model, steps = mlp(), 8
    _, snn = convert_model(
        model, tmp_path, neuron=neuron, schedule="two-phase", n_steps=steps, method="percentile", correction="none"
    )
    assert types(snn)[1] == ("FewSpikeMean" if neuron == "few-spike" else "CountIF")
    weights = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    x = samples(model)
    a = x.astype(np.float64)
    for index, name in enumerate(("first", "second"), 1):
        z = a @ weights[f"W{index}"] + weights[f"B{index}"]
        if neuron == "few-spike":
            scale = initializer(snn, f"{name}_scale").astype(np.float64)
            unit = scale * 2.0**-steps
            a = np.clip(np.floor(z / unit + 0.5), 0, 2**steps - 1) * unit
        else:
            threshold = initializer(snn, f"{name}_threshold").astype(np.float64)
            most = steps * (15 if neuron == "if-burst" else 1)
            a = np.clip(np.floor(z * steps / threshold + 0.5), 0, most) * threshold / steps
    (found,) = snn_ops.Session(snn).run(x)
    np.testing.assert_allclose(found, a @ weights["W3"] + weights["B3"], rtol=1e-3, atol=1e-3)
