"""Where the time goes: the parts add up, the work is what one counts by hand, every node is its layer's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.bench.events import Call, NodeEvent
from converter.bench.profile import (
    COPIES,
    KINDS,
    NEURONS,
    POOLING,
    REST,
    TIME,
    WEIGHTS,
    LayerTime,
    Origins,
    Profile,
    layer_times,
    profile,
)
from converter.bench.rates import Rates
from converter.bench.runs import Place
from tests.models import convert_model, convnet, mlp, samples, text_model

RATES = Rates({"any": 1e9}, {1: 1e9})


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr("converter.bench.profile._SECONDS", 0.0)
    monkeypatch.setattr("converter.bench.profile.warm_up", lambda turn: turn(0))


def profile_of(model: onnx.ModelProto, x: np.ndarray, n_steps: int, backend: str = "native") -> Profile:
    return profile(model, {"x": x}, Place(backend, threads=1), n_steps, RATES)


def by_name(found: Profile) -> dict[str, LayerTime]:
    return {layer.name: layer for layer in found.layers}


@pytest.mark.parametrize("backend", ["native", "functions"])
def test_a_convolutional_network(tmp_path: Path, quick, backend) -> None:
    """Multiply-adds by hand; the times add up to the call's; whatever fused a node, it is found."""
    _, model = convert_model(convnet(), tmp_path, neuron="if")
    n_steps, batch = 5, 3
    found = profile_of(model, samples(convnet(), batch), n_steps, backend)
    layers = by_name(found)
    assert sum(layer.seconds for layer in found.layers) == pytest.approx(found.seconds)
    assert sum(kind.seconds for kind in found.kinds()) == pytest.approx(found.seconds)
    outside = layers["before and after"].seconds
    assert found.in_runtime == pytest.approx(found.seconds - outside)
    assert outside > 0 and layers["between the nodes"].seconds > 0

    names = {node.output[0]: node.name for node in model.graph.node}
    first = next(node.name for node in model.graph.node if node.op_type == "Conv")
    second = next(node.name for node in reversed(model.graph.node) if node.op_type == "Conv")
    assert layers[first].multiply_adds == batch * (6 * 8 * 8) * (2 * 3 * 3)  # the same at every step, so once
    assert layers[second].multiply_adds == n_steps * batch * (6 * 8 * 8) * (6 * 3 * 3)
    assert layers[second].kind == WEIGHTS
    last = layers[names["h"]]
    assert last.multiply_adds == batch * 192 * 5  # after the mean over time
    assert layers["first"].kind == layers["second"].kind == NEURONS
    pooling = [layer for layer in found.layers if layer.kind == POOLING]
    assert {layer.op_type for layer in pooling} == {"AveragePool", "MaxPool"}
    time = [layer for layer in found.layers if layer.kind == TIME]
    assert {layer.op_type for layer in time} >= {"TimeMean"}
    assert {layer.kind for layer in found.layers} == set(KINDS)
    for layer in found.layers:
        assert layer.floor == pytest.approx(max(layer.multiply_adds, layer.bytes_moved) / 1e9)
    if backend == "functions":
        assert layers["first"].nodes > 1  # all nodes of its body
    else:
        assert layers["first"].nodes == 1


def test_bytes_of_neurons_and_of_weights(tmp_path: Path, quick) -> None:
    """float32: a neuron reads [T*B, 12] currents and writes as many spikes; a Gemm reads its weights too."""
    _, model = convert_model(mlp(), tmp_path, neuron="if", correction="none")
    found = by_name(profile_of(model, samples(mlp(), 2), 4))
    assert 4 * 2 * (4 * 2 * 12) <= found["second"].bytes_moved <= 4 * 2 * (4 * 2 * 12) + 4 * 3 * 12
    gemm = next(node for node in model.graph.node if "W2" in node.input)
    assert found[gemm.name].bytes_moved == 4 * (4 * 2 * 16 + 16 * 12 + 12 + 4 * 2 * 12)


def test_chunks_of_a_call_are_one_layer(tmp_path: Path, quick, monkeypatch) -> None:
    """300 samples of 4 steps are 5 runs of ONNX Runtime; a layer has a row, the work is that of the call."""
    _, model = convert_model(mlp(), tmp_path)
    monkeypatch.setattr("snn_ops.session.Session.rows", 256)
    found = profile_of(model, samples(mlp(), 300), 4)
    gemm = next(node for node in model.graph.node if "W2" in node.input)
    assert by_name(found)[gemm.name].nodes == 5
    assert by_name(found)[gemm.name].multiply_adds == 4 * 300 * 16 * 12


@pytest.mark.parametrize("options", [{"schedule": "two-phase"}, {"streaming": True}, {"neuron": "sigma-delta"}])
def test_other_models(tmp_path: Path, quick, options) -> None:
    _, model = convert_model(mlp(), tmp_path, **options)
    found = profile_of(model, samples(mlp(), 3), 4)
    assert {"first", "second"} <= {layer.name for layer in found.layers if layer.kind == NEURONS}
    assert found.runs == 3  # of 5
    summary = found.summary()
    assert summary["seconds"] == pytest.approx(sum(kind["seconds"] for kind in summary["kinds"]))


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_all_layers_of_the_delta_code_have_their_products(tmp_path: Path, quick, schedule) -> None:
    """Activations stand beside the neurons there, and ONNX Runtime runs them as one with the layer before."""
    _, model = convert_model(convnet(), tmp_path, code="delta", schedule=schedule)
    found = by_name(profile_of(model, samples(convnet(), 3), 4))
    weighted = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    assert "Conv" in [node.op_type for node in weighted]
    for node in weighted:
        assert (found[node.name].kind, found[node.name].multiply_adds > 0) == (WEIGHTS, True), node.name


def event(name: str, op_type: str, seconds: float = 1.0) -> NodeEvent:
    return NodeEvent(name, op_type, seconds, [(1, 4)], [(1, 4)], 32, 0)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv1", "conv1"),
        ("conv1_nchwc", "conv1"),
        ("conv10_nchwc", "conv10"),
        ("fused conv1", "conv1"),
        ("fused conv10_token_3", "conv10"),
        ("conv1/MatMulAddFusion", "conv1"),
        ("image_nchwc", "conv1"),  # by the value that it gives
        ("scores_nchwc", "conv10"),  # by the value that an activation after it gives, in the same run
        ("sum_nchwc", "conv10"),
        ("conv11", None),
        ("ReorderInput", None),
        ("_inlfunc_IF_of_1_onnx_snn.1.16", "neuron"),
    ],
)
def test_the_names_of_onnx_runtime(name, layer) -> None:
    text = """
      <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1]>
      m (float[N,4,8,8] x) => (float[N,4,8,8] y) {
        [conv1] image = Conv(x, x)
        [neuron] spikes = onnx_snn.IF(image)
        [conv10] more = Conv(spikes, x)
        [sum] both = Add(more, spikes)
        [relu] scores = Relu(both)
        y = Identity(scores)
      }
    """
    found = Origins(onnx.parser.parse_model(text)).of(event(name, "Conv"))
    assert (found.name if found is not None else None) == layer


def test_kinds_of_what_onnx_runtime_makes() -> None:
    text = """
      <ir_version: 9, opset_import: ["" : 18, "onnx_snn" : 1]>
      m (float[N,4] x) => (float[N,4] y) {
        [a] v = MatMul(x, x)
        [n] s = onnx_snn.LIFRate(v)
        [r] m = onnx_snn.RunningMean(s)
        [c] t = Transpose(m)
        [e] y = Exp(t)
      }
    """
    nodes = [
        event("a", "FusedMatMul"),
        event("ReorderOutput_token_1", "ReorderOutput"),
        event("n", "LIFRate"),
        event("r", "RunningMean"),
        event("c", "Transpose"),
        event("e", "Exp"),
        event("a", "FusedMatMul"),
    ]
    found = layer_times(onnx.parser.parse_model(text), [Call(9.0, nodes), Call(9.0, nodes)], RATES)
    assert [(layer.name, layer.kind, layer.seconds, layer.nodes) for layer in found] == [
        ("a", WEIGHTS, 2.0, 2),
        ("ReorderOutput after a", COPIES, 1.0, 1),
        ("n", NEURONS, 1.0, 1),
        ("r", TIME, 1.0, 1),
        ("c", COPIES, 1.0, 1),
        ("e", REST, 1.0, 1),
    ]


def test_reshaping_moves_nothing() -> None:
    text = '<ir_version: 9, opset_import: ["" : 18]> m (float[N,4] x) => (float[N,4] y) { [a] y = Reshape(x, x) }'
    model = onnx.parser.parse_model(text)
    (found,) = layer_times(model, [Call(1.0, [event("a", "Reshape")])], RATES)
    assert (found.bytes_moved, found.floor, found.kind) == (0, 0.0, COPIES)


def test_denormal_weights_are_counted() -> None:
    """Of the layer, not of what ONNX Runtime puts beside it."""
    model = text_model(
        "m (float[N,4] x) => (float[N,4] y) <float[4,4] W> { [a] y = MatMul(x, W) }",
        W=np.asarray([[1, 0, -1e-39, 1e-40], [1e-38, 2e-38, 0, 1.18e-38], [-3e-42, 1, 1, 1], [1, 1, 1, 1]]),
    )
    found = layer_times(model, [Call(2.0, [event("a", "MatMul"), event("ReorderOutput", "ReorderOutput")])], RATES)
    assert [layer.denormal_weights for layer in found] == [4, 0]
