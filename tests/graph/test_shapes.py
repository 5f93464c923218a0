"""Shapes of all values, for given shapes of the inputs."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from converter.errors import RefusedError
from converter.graph.shapes import MANY_SAMPLES, annotate, infer_shapes, input_shapes
from tests.models import text_model
from tests.passes import from_text

MODEL = """m (float[N,2,L] x) => (float[N,K] y) <float[2,3] W> {
  [turn] t = Transpose<perm = [0, 2, 1]>(x)  h = MatMul(t, W)  r = Relu(h)  y = Flatten(r) }"""
UNKNOWN = """m (float[N,4] x) => (float[N,2] y) {
  c = Compress<axis = 1>(x, M)  y = Relu(c) }"""


def test_of_a_run() -> None:
    model = from_text(MODEL)
    before = [value.shape for node in model.graph for value in node.outputs]
    assert infer_shapes(model, {"x": (5, 2, 7)}) == {
        "x": (5, 2, 7), "t": (5, 7, 2), "h": (5, 7, 3), "r": (5, 7, 3), "y": (5, 21), "W": (2, 3),
    }  # fmt: skip
    assert [value.shape for node in model.graph for value in node.outputs] == before
    assert str(model.graph.inputs[0].shape) == "[N,2,L]"


def test_what_inference_leaves_open_is_run() -> None:
    """How many columns are left, only a run tells."""
    proto = text_model(UNKNOWN)
    proto.graph.initializer.append(onnx.helper.make_tensor("M", onnx.TensorProto.BOOL, [4], [True, False, True, False]))
    model = ir.from_proto(proto)
    assert infer_shapes(model, {"x": (5, 4)})["c"] == (5, 2)
    annotate(model, {"x": (1, 4)})
    (value,) = model.graph[0].outputs
    assert len(value.shape) == 2
    assert value.dtype == ir.DataType.FLOAT


def test_a_shape_that_does_not_fit() -> None:
    model = from_text("m (float[N,4] x) => (float[N,3] y) <float[5,3] W> { h = Relu(x)  y = MatMul(h, W) }")
    with pytest.raises(RefusedError, match=r"ONNX Runtime cannot load the model: .*Incompatible dimensions"):
        infer_shapes(model, {"x": (2, 4)})


def test_types_ranks_and_symbols() -> None:
    model = from_text(MODEL)
    annotate(model, {"x": (1, 2, 7)})
    values = {value.name: value for node in model.graph for value in node.outputs}
    assert str(values["t"].shape) == "[N,L,2]"
    assert str(values["h"].shape) == "[N,L,3]"
    assert values["h"].dtype == model.graph.inputs[0].dtype


def test_of_inputs() -> None:
    model = from_text("m (float[N,2,L] x, float[3,4] z) => (float[N,2,L] y) { y = Relu(x) }")
    assert input_shapes(model, MANY_SAMPLES) == {"x": (11, 2, 64), "z": (11, 4)}
