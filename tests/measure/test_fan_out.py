"""Fan-outs against layers of ones: how often an element takes part is how much it changes the sum of the result."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from converter.graph.run import start_quietly
from converter.graph.shapes import infer_shapes
from converter.measure.fan_out import entries, fan_out, is_layer, recurrence
from tests.models import text_model

LAYERS = {
    "Conv": ("float[1,4,7,6] x", "float[6,2,3,2] W", "Conv<group = 2, strides = [2, 1], pads = [1, 0, 1, 1]>(x, W)"),
    "Conv, dilated": ("float[1,3,9] x", "float[5,3,3] W", "Conv<dilations = [2], pads = [2, 1]>(x, W)"),
    "Conv, VALID": ("float[1,3,9] x", "float[5,3,2] W", 'Conv<auto_pad = "VALID", strides = [2]>(x, W)'),
    "Conv, SAME": ("float[1,3,9,8] x", "float[5,3,2,4] W", 'Conv<auto_pad = "SAME_LOWER", strides = [2, 3]>(x, W)'),
    "ConvTranspose": (
        "float[1,4,5,3] x",
        "float[4,3,3,2] W",
        "ConvTranspose<group = 2, strides = [2, 2], pads = [1, 1, 0, 0], output_padding = [1, 0]>(x, W)",
    ),
    "ConvTranspose, SAME": (
        "float[1,4,5] x",
        "float[4,3,4] W",
        'ConvTranspose<strides = [3], auto_pad = "SAME_UPPER">(x, W)',
    ),
    "ConvTranspose, output_shape": (
        "float[1,4,5] x",
        "float[4,3,4] W",
        "ConvTranspose<strides = [2], output_shape = [9]>(x, W)",
    ),
    "MatMul": ("float[1,5,4] x", "float[4,7] W", "MatMul(x, W)"),
    "MatMul, weights at the left": ("float[1,5,4] x", "float[7,5] W", "MatMul(W, x)"),
    "Gemm": ("float[1,4] x", "float[6,4] W", "Gemm<transB = 1>(x, W)"),
    "Einsum": ("float[1,4,5] x", "float[5,2,3] W", 'Einsum<equation = "bij,jkl->bikl">(x, W)'),
}


def layer(name: str, weights: np.ndarray | None = None) -> onnx.ModelProto:
    x, w, node = LAYERS[name]
    return text_model(f"m ({x}) => (float y) <{w}> {{ y = {node} }}", **({} if weights is None else {"W": weights}))


def by_adding(name: str, weights: np.ndarray) -> np.ndarray:
    """What one more at an element adds to the sum of a layer whose weights are 0 and 1."""
    session = start_quietly(layer(name, weights))
    x = np.zeros(session.get_inputs()[0].shape, np.float32)
    result = np.zeros(x.shape)
    for index in np.ndindex(*x.shape):
        x[index] = 1
        result[index] = session.run(None, {"x": x})[0].sum()
        x[index] = 0
    return result


@pytest.mark.parametrize("effective", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_fan_out(name, effective) -> None:
    proto = layer(name)
    weights = onnx.numpy_helper.to_array(proto.graph.initializer[0]).copy()
    uniform = name == "Einsum"  # there zeros are spread over all elements
    if effective and not uniform:
        weights[np.random.default_rng(0).random(weights.shape) < 0.4] = 0
    model = ir.from_proto(layer(name, weights))
    shapes = infer_shapes(model, {"x": tuple(model.graph.inputs[0].shape.numpy())})
    (node,) = model.graph
    assert is_layer(node)
    index = next(i for i in entries(node) if node.inputs[i].name == "x")
    found = fan_out(node, index, lambda value: shapes.get(str(value.name)), effective=effective)
    expected = by_adding(name, (weights != 0).astype(np.float32) if effective else np.ones(weights.shape, np.float32))
    np.testing.assert_array_equal(np.broadcast_to(found, expected.shape), expected)


def test_a_cell() -> None:
    """Each input meets all gates of both directions; a step of the recurrence all weights of the states."""
    proto = text_model(
        """m (float[5,1,4] x) => (float y, float h) <float[2,12,4] W, float[2,12,3] R>
        { y, h = LSTM<hidden_size = 3, direction = "bidirectional">(x, W, R) }"""
    )
    model = ir.from_proto(proto)
    shapes = infer_shapes(model, {"x": (5, 1, 4)})
    (node,) = model.graph
    assert fan_out(node, 0, lambda value: shapes.get(str(value.name))) == 2 * 12
    assert recurrence(node, lambda value: shapes.get(str(value.name))) == 5 * 2 * 12 * 3
