"""Shapes of all values, for given shapes of the inputs."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from converter.errors import RefusedError
from converter.graph.shapes import MANY_SAMPLES, annotate, fixed_axis, infer_shapes, input_shapes
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


@pytest.mark.parametrize(
    ("shape", "axis", "samples", "expected"),
    [
        ("N,L,8", 1, 0, 2),
        ("N,L,8", 2, 0, 2),
        ("N,6,8", 1, 0, 1),
        ("N,6,8", 0, 0, 2),
        ("L,N,8", 0, 1, 2),
        ("N,3,L", 2, 0, 1),
        ("N,L,M", 2, 0, None),
        ("N,L", 1, 0, None),
        ("N,4", 1, 0, 1),
    ],
)
def test_an_axis_that_is_as_long_for_every_sample(shape, axis, samples, expected) -> None:
    model = from_text(f"m (float[{shape}] x) => (float[{shape}] y) {{ y = Relu(x) }}")
    assert fixed_axis(model, model.graph.outputs[0], axis, samples) == expected


def test_a_length_that_nobody_knows_is_fixed_where_the_inputs_are() -> None:
    for shape, expected in (("N,4,8", 1), ("N,L,8", None)):
        model = from_text(f"m (float[{shape}] x) => (float[N,K,M] y) {{ y = Relu(x) }}")
        assert fixed_axis(model, model.graph.outputs[0], 1) == expected
        model.graph.outputs[0].shape = None
        assert fixed_axis(model, model.graph.outputs[0], 1) == expected
