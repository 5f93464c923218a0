"""A model in double precision: the same function, all of it in float64, with what ONNX Runtime has for float64."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx.reference import ReferenceEvaluator

pytest.importorskip("nengo")

from converter import RefusedError
from converter.nengo.double_precision import as_float64
from tests.models import text_model

RNG = np.random.default_rng(0)
SHAPES = {"K": (3, 4, 3, 3), "G": (4, 2, 3, 3), "T": (4, 3, 3, 3), "C": (3,)}
ARRAYS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
X = RNG.normal(size=(3, 4, 6, 5)).astype(np.float32)
LAYERS = {
    "Conv": "y = Conv(x, K, C)",
    "Conv, strides and uneven pads": "y = Conv<pads = [0, 1, 2, 1], strides = [2, 1]>(x, K)",
    "Conv, dilations": "y = Conv<dilations = [2, 1]>(x, K, C)",
    "Conv, groups": "y = Conv<group = 2, pads = [1, 1, 1, 1]>(x, G)",
    "Conv, SAME_LOWER": 'y = Conv<auto_pad = "SAME_LOWER", strides = [2, 2]>(x, K)',
    "ConvTranspose": "y = ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>(x, T, C)",
    "ConvTranspose, valid": "y = ConvTranspose<strides = [3, 2]>(x, T)",
    "AveragePool": "y = AveragePool<kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 1, 1]>(x)",
    "AveragePool, pads counted": (
        "y = AveragePool<kernel_shape = [3, 2], strides = [1, 2], pads = [1, 1, 1, 0], count_include_pad = 1>(x)"
    ),
    "AveragePool, ceil": "y = AveragePool<kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1>(x)",
    "GlobalAveragePool": "y = GlobalAveragePool(x)",
    "GlobalMaxPool": "y = GlobalMaxPool(x)",
}


def model(layer: str, element: str = "float", *, lengths: str = "N,4,6,5") -> onnx.ModelProto:
    declared = ", ".join(f"{element}[{', '.join(map(str, shape))}] {name}" for name, shape in SHAPES.items())
    text = f"m ({element}[{lengths}] x) => ({element}[N,c,h,w] y) <{declared}> {{ [layer] {layer} }}"
    return text_model(text, opset=19, **ARRAYS)


def run(proto: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_the_same_with_more_digits(layer) -> None:
    """As ONNX Runtime's own in float32, and to the last digits as onnx's reference in float64."""
    found = run(as_float64(model(LAYERS[layer])), X.astype(np.float64))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, run(model(LAYERS[layer]), X), rtol=1e-4, atol=1e-5)
    (exact,) = ReferenceEvaluator(model(LAYERS[layer], "double")).run(None, {"x": X.astype(np.float64)})
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-12)


def test_numbers_keep_their_float32_values_and_integers_their_type() -> None:
    proto = text_model(
        """m (float[N,4] x, int64[N,2] i) => (float[N,3] y, int64[N,2] j) <float[4,3] W, int64[1] ONE>
        { h = Cast<to = 10>(x)  k = Cast<to = 1>(h)  y = MatMul(k, W)  j = Add(i, ONE) }""",
        ONE=np.ones(1),
    )
    double = as_float64(proto)
    kinds = [value.type.tensor_type.elem_type for value in (*double.graph.input, *double.graph.output)]
    assert kinds == [onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64] * 2
    arrays = [{t.name: onnx.numpy_helper.to_array(t) for t in m.graph.initializer} for m in (proto, double)]
    assert arrays[1]["W"].dtype == np.float64
    np.testing.assert_array_equal(arrays[0]["W"], arrays[1]["W"])
    x, i = np.full((2, 4), 1 / 3), np.arange(4).reshape(2, 2)
    y, j = ort.InferenceSession(double.SerializeToString()).run(None, {"x": x, "i": i})
    np.testing.assert_allclose(y, x @ arrays[0]["W"].astype(np.float64), rtol=1e-14)  # no Cast took digits away
    np.testing.assert_array_equal(j, i + 1)


def test_the_model_itself_stays_as_it_was() -> None:
    proto = model(LAYERS["Conv"])
    before = proto.SerializeToString(deterministic=True)
    as_float64(proto)
    assert proto.SerializeToString(deterministic=True) == before


def test_free_lengths_are_refused() -> None:
    with pytest.raises(RefusedError, match="free lengths"):
        as_float64(model("y = GlobalMaxPool(x)", lengths="N,4,h,w"))
