"""Conversion: what stands where in the spiking model, and that it computes what it should."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from converter.options import load_layers
from snn_ops.ops import OPERATORS
from tests.models import batchnorm_net, convnet, mlp, samples, save, text_model


def convert_model(model: onnx.ModelProto, tmp_path, **options):
    path = save(model, tmp_path / "m.onnx")
    conversion = convert(path, samples(model), **options)
    conversion.save(tmp_path / "m.snn.onnx")
    return conversion, onnx.load(tmp_path / "m.snn.onnx")


def types(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def initializer(model: onnx.ModelProto, name: str) -> np.ndarray:
    return next(onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


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


def test_format_rules(tmp_path) -> None:
    """Every attribute written, every input passed, every output listed; functions for all operators; metadata."""
    _, snn = convert_model(mlp("Tanh"), tmp_path)
    ours = [node for node in snn.graph.node if node.domain == snn_ops.DOMAIN]
    assert {node.op_type for node in ours} == {"SigmaDelta", "RunningMean", "TimeMean"}
    for node in ours:
        operator = OPERATORS[node.op_type]
        assert {a.name for a in node.attribute} == set(operator.defaults)
        assert len(node.input) == len(operator.inputs)
        assert all(node.input)
        assert len(node.output) == len(operator.outputs)
    assert {f.name for f in snn.functions} == {node.op_type for node in ours}
    onnx.checker.check_model(snn, full_check=True)
    metadata = {entry.key: entry.value for entry in snn.metadata_props}
    assert metadata["onnx_snn.n_steps"] == "32"
    assert metadata["onnx_snn.source"] == "m.onnx"
    assert len(json.loads(metadata["onnx_snn.layers"])) == 2


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "m (float[N,4] x) => (float[N,3] y) <float[4,3] W> { y = MatMul(x, W) }",
            "no activation that a neuron could replace: it is linear; run it as it is",
        ),
        (
            """m (float[N,4] x) => (float[N,3] y) <float[4,3] V, float[4,3] W> {
              a = MatMul(x, V)  b = MatMul(x, W)  c = Max(a, b)  y = Softmax(c) }""",
            "Max, Softmax are no functions of one number, such as Relu; train it with one, or run it as it is",
        ),
        (
            """m (float[5,N,4] x) => (float[5,N,4] y) <float[1,16,4] W, float[1,16,4] R> {
              [memory] h, last = LSTM<hidden_size = 4>(x, W, R)  q = Squeeze(h)  y = Relu(q) }""",
            "node 'memory': LSTM runs through the samples as if they were a sequence, so axis 0 is not a batch",
        ),
        (
            """m (float[N,4] x) => (float[N,4] y) <float[4,4] A, float[4] B> {
              h = MatMul(x, A)  g = com.microsoft.BiasGelu(h, B)  y = MatMul(g, A) }""",
            "it has com.microsoft.BiasGelu; convert the model before it was optimised",
        ),
        (
            """m (float[N,5,4] x) => (float[N,4] y) <float[4,6] A, float[1,16,6] W, float[1,16,4] R, int64[1] ZERO> {
              h = MatMul(x, A)  a = Relu(h)  t = Transpose<perm = [1, 0, 2]>(a)
              [memory] s, last = LSTM<hidden_size = 4>(t, W, R)  y = Squeeze(last, ZERO) }""",
            "node 'memory': LSTM keeps a state of its own over a sequence, which does not come in parts",
        ),
    ],
)
def test_refuses_with_reason(text, reason, tmp_path) -> None:
    model = text_model(text, ZERO=np.zeros(1))
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(RefusedError) as refused:
        convert(save(model, tmp_path / "m.onnx"), samples(model, 5))
    assert reason in str(refused.value)
    assert str(tmp_path / "m.onnx") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_recurrent_layers_stay_analog_before_the_first_neuron(tmp_path) -> None:
    """Also what lies before them: the first Relu does not spike."""
    model = text_model(
        """m (float[N,5,4] x) => (float[N,3] y)
        <float[4,6] A, float[1,16,6] W, float[1,16,4] R, float[4,8] B, float[8,3] C, int64[1] ZERO> {
          h = MatMul(x, A)  [before] a = Relu(h)  t = Transpose<perm = [1, 0, 2]>(a)
          s, last = LSTM<hidden_size = 4>(t, W, R)  q = Squeeze(last, ZERO)  k = MatMul(q, B)  [behind] b = Relu(k)
          y = MatMul(b, C) }""",
        ZERO=np.zeros(1),
    )
    conversion, snn = convert_model(model, tmp_path, percentile=100.0)
    assert [layer.name for layer in conversion.layers] == ["behind"]
    x = samples(model)
    (expected,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(snn).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_single_layers_have_their_own_neurons(schedule, tmp_path) -> None:
    """``layers``: a neuron and a range for one layer, and only for it."""
    (tmp_path / "layers.toml").write_text('[layers."first"]\nneuron = "if"\nmethod = "percentile"\npercentile = 50.0\n')
    settings = load_layers(tmp_path / "layers.toml")
    _, plain = convert_model(mlp(), tmp_path, schedule=schedule, neuron="if-burst", method="percentile")
    _, snn = convert_model(
        mlp(), tmp_path, schedule=schedule, neuron="if-burst", method="percentile", layers=settings, correction="none"
    )
    most = {n.name: {a.name: a.i for a in n.attribute}.get("max_spikes") for n in snn.graph.node}
    assert (most["first"], most["second"]) == (1, 15)
    assert np.array_equal(initializer(snn, "second_threshold"), initializer(plain, "second_threshold"))
    x = samples(mlp())
    rows = np.maximum(x @ initializer(snn, "W1") + initializer(snn, "B1"), 0)
    median = np.median(rows, axis=0)
    near = np.abs(initializer(snn, "first_threshold") - median) <= 0.05 * rows.max(axis=0)
    assert near[median > 0].all()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[layers."third"]\nneuron = "if"', "there is no layer 'third'; there are first, second"),
        ('[layers."first"]\nspikes = 3', "layer 'first': option 'spikes'"),
        ('[layers."first"]\nneuron = "glia"', "there is no neuron 'glia'"),
        ("neuron = 3", "it needs a table for each layer"),
        ("[layers", "not TOML"),
    ],
)
def test_bad_settings_of_layers(text, reason, tmp_path) -> None:
    (tmp_path / "layers.toml").write_text(text)
    with pytest.raises(RefusedError, match=reason):
        convert_model(mlp(), tmp_path, layers=load_layers(tmp_path / "layers.toml"))


def test_auto_takes_the_least_error_it_measured(tmp_path) -> None:
    conversion, _ = convert_model(convnet(), tmp_path)
    assert len(conversion.trials) >= 5
    chosen = conversion.trials[-1]
    assert chosen.recipe == conversion.recipe
    assert chosen.error <= 1.1 * min(trial.error for trial in conversion.trials)
    assert {trial.recipe.neuron for trial in conversion.trials} == {"if", "if-signed", "if-burst"}
    assert {trial.recipe.method for trial in conversion.trials} == {"percentile", "mse", "balance"}
    assert {trial.recipe.correction for trial in conversion.trials} == {"none", "bias", "potential"}


@pytest.mark.parametrize("correction", ["bias", "potential"])
def test_corrections_remove_the_mean_error(correction, tmp_path) -> None:
    """Binary neurons at few steps, against the trained activation, channel by channel."""
    model = mlp()
    x = samples(model)

    def mean_error(kind: str) -> float:
        _, snn = convert_model(
            model, tmp_path, neuron="if", method="percentile", percentile=90.0, correction=kind, n_steps=4
        )
        found = snn_ops.Session(snn).run(x)[0]
        return float(np.abs((found - expected).mean(axis=0)).mean())

    (expected,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert mean_error(correction) < 0.6 * mean_error("none")


def test_work_is_counted(tmp_path) -> None:
    """Multiply-adds by hand; synaptic operations from the spikes themselves."""
    conversion, snn = convert_model(mlp(), tmp_path, neuron="if", method="percentile", correction="none", n_steps=16)
    assert conversion.work.multiply_adds == 8 * 16 + 16 * 12 + 12 * 4
    assert conversion.work.analog_multiply_adds == 8 * 16  # the first layer receives the samples themselves
    rates = {layer.name: layer.spike_rate for layer in conversion.layers}
    for node in [n for n in snn.graph.node if n.op_type == "IF"]:
        probe = onnx.ModelProto()
        probe.CopyFrom(snn)
        probe.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
        spikes = snn_ops.Session(probe, batch_size=32).run(samples(mlp())[:32])[1]
        assert rates[node.name] == pytest.approx(float((spikes != 0).mean()), rel=1e-4)
    operations = 16 * (rates["first"] * 16 * 12 + rates["second"] * 12 * 4)
    assert conversion.work.synaptic_operations == pytest.approx(operations)
    assert sum(layer.synaptic_operations for layer in conversion.layers) == pytest.approx(operations)


@pytest.mark.parametrize("neuron", ["if", "if-burst", "few-spike"])
def test_two_phase_is_the_quantised_network(neuron, tmp_path) -> None:
    """Layer by layer in NumPy: round, clip, multiply."""
    model, steps = mlp(), 8
    _, snn = convert_model(
        model, tmp_path, neuron=neuron, schedule="two-phase", n_steps=steps, method="percentile", correction="none"
    )
    assert types(snn)[1] == ("FewSpike" if neuron == "few-spike" else "CountIF")
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


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n_steps": 0}, "number of steps must be at least 1"),
        ({"neuron": "pyramidal"}, "there is no neuron 'pyramidal'; choose one of auto"),
        ({"percentile": 0.0}, "percentile must be above 0"),
        ({"tau_rc": 0.0}, "tau_rc must be above 0"),
        ({"method": "guess"}, "there is no method 'guess'; choose one of auto, percentile, mse, balance"),
        ({"schedule": "never"}, "there is no schedule 'never'"),
        ({"max_spikes": 0}, "max_spikes must be at least 1"),
        ({"schedule": "two-phase", "neuron": "lif"}, "lif neurons forget"),
        ({"schedule": "two-phase", "streaming": True}, "only stepped models can be streamed"),
        ({"neuron": "few-spike"}, "use --schedule two-phase"),
    ],
)
def test_refuses_options(options, reason, tmp_path) -> None:
    model = mlp()
    with pytest.raises(RefusedError, match=reason):
        convert(save(model, tmp_path / "m.onnx"), samples(model), **options)


def test_an_already_spiking_model_is_refused(tmp_path) -> None:
    convert_model(mlp(), tmp_path)
    with pytest.raises(RefusedError, match="already a spiking model"):
        load_ann(tmp_path / "m.snn.onnx")
