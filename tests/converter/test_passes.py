"""Passes that rewrite graphs: the rewritten graph computes the same."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.graph.batch_axis import BatchAxes, trace_batch_axis
from converter.graph.build import to_proto
from converter.graph.shapes import infer_shapes
from converter.spiking.pool_before_activation import pool_before_activation
from tests.models import samples, save, text_model


def axes(model: ir.Model) -> BatchAxes:
    lengths = {str(v.name): (11, *(n for n in list(v.shape)[1:])) for v in model.graph.inputs}
    return trace_batch_axis(model, infer_shapes(model, lengths), 11)


def run_model(model: ir.Model, x: np.ndarray) -> np.ndarray:
    return ort.InferenceSession(to_proto(model).SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu"])
def test_pool_moves_before_the_activation(activation) -> None:
    proto = text_model(
        f"""m (float[N,1,6,6] x) => (float[N,3,3,3] y) <float[3,1,3,3] W> {{
          c = Conv<pads = [1, 1, 1, 1]>(x, W)  a = {activation}(c)
          y = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(a) }}"""
    )
    x = samples(proto)
    before = ir.from_proto(proto)
    after = ir.from_proto(proto)
    assert pool_before_activation(after, axes(after)).changed
    assert [node.op_type for node in after.graph] == ["Conv", "MaxPool", activation]
    np.testing.assert_array_equal(run_model(before, x), run_model(after, x))


def test_pool_stays_where_others_use_the_activation() -> None:
    proto = text_model(
        """m (float[N,1,4,4] x) => (float[N,1,2,2] y, float[N,1,4,4] a) {
          a = Relu(x)  y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a) }"""
    )
    model = ir.from_proto(proto)
    assert not pool_before_activation(model, axes(model)).changed


def island_model():
    """A maximum between two layers of neurons, which does not commute with a mean over time."""
    return text_model(
        """m (float[N,6] x) => (float[N,3] y) <float[6,8] W, float[6,8] U, float[8,4] V, float[4,3] Z> {
          h = MatMul(x, W)  a = Relu(h)  g = MatMul(x, U)  b = Relu(g)  both = Max(a, b)
          k = MatMul(both, V)  c = Relu(k)  y = MatMul(c, Z) }"""
    )


def test_analog_island_is_exact_in_the_mean(tmp_path) -> None:
    proto = island_model()
    x = samples(proto)
    conversion = convert(save(proto, tmp_path / "m.onnx"), x, percentile=100.0)
    assert [island.op_types for island in conversion.islands] == [("Max",)]
    types = [node.op_type for node in conversion.proto().graph.node]
    assert types.count("RunningMean") == 2
    assert types.count("RunningDifference") == 1
    (expected,) = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=400).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02


def test_reshape_to_the_inputs_batch_is_made_local(tmp_path) -> None:
    """The exporter read the batch off the input; behind a neuron there are T times as many rows."""
    proto = text_model(
        """m (float[N,2,6] x) => (float[N,3] y) <float[6,4] W, int64[1] ZERO, int64[1] REST, float[8,5] V, float[5,3] U> {
          shape = Shape(x)  n = Gather(shape, ZERO)  target = Concat<axis = 0>(n, REST)  h = MatMul(x, W)  a = Relu(h)
          flat = Reshape(a, target)  k = MatMul(flat, V)  b = Relu(k)  y = MatMul(b, U) }""",
        ZERO=np.zeros(1),
        REST=-np.ones(1),
    )
    x = samples(proto)
    conversion = convert(save(proto, tmp_path / "m.onnx"), x, percentile=100.0)
    (expected,) = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=400).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02
    assert "Shape" not in {node.op_type for node in conversion.proto().graph.node}
