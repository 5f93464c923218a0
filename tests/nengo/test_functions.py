"""The functions that scripts carry with them against ONNX Runtime's operators."""

from __future__ import annotations

import inspect

import numpy as np
import onnx.parser
import onnxruntime as ort
import pytest

pytest.importorskip("nengo")

from converter.nengo import functions

NEAR_AND_FAR = np.concatenate([np.linspace(-9, 9, 181), [-80.0, -20.0, 20.0, 80.0]]).astype(np.float32)
TWINS = {
    "relu": ("Relu", functions.relu),
    "tanh": ("Tanh", functions.tanh),
    "sigmoid": ("Sigmoid", functions.sigmoid),
    "leaky_relu": ("LeakyRelu<alpha = 0.3>", functions.leaky_relu(np.float32(0.3))),
    "elu": ("Elu<alpha = 1.5>", functions.elu(1.5)),
    "softplus": ("Softplus", functions.softplus),
    "hard_sigmoid": ("HardSigmoid<alpha = 0.25, beta = 0.6>", functions.hard_sigmoid(0.25, 0.6)),
    "hard_swish": ("HardSwish", functions.hard_swish),
    "gelu": ("Gelu", functions.gelu),
    "exp": ("Exp", functions.exp),
    "softmax": ("Softmax<axis = 0>", functions.softmax),
    "log_softmax": ("LogSoftmax<axis = 0>", functions.log_softmax),
}


def by_onnx_runtime(line: str, **feed: np.ndarray) -> np.ndarray:
    inputs = ", ".join(f"float[{','.join(map(str, array.shape))}] {name}" for name, array in feed.items())
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> m ({inputs}) => (float y) {{ {line} }}')
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return ort.InferenceSession(model.SerializeToString()).run(None, feed)[0]


@pytest.mark.parametrize("name", TWINS)
def test_a_function_is_the_operator(name) -> None:
    operator, function = TWINS[name]
    expected = by_onnx_runtime(f"y = {operator}(x)", x=NEAR_AND_FAR)
    with np.errstate(over="ignore"):
        found = function(NEAR_AND_FAR.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_clip_and_multiply() -> None:
    x, z = NEAR_AND_FAR, NEAR_AND_FAR[::-1].copy()
    low, high = np.asarray(-0.5, np.float32), np.asarray(2, np.float32)
    expected = by_onnx_runtime("y = Clip(x, low, high)", x=x, low=low, high=high)
    np.testing.assert_array_equal(functions.clip(-0.5, 2)(x), expected)
    np.testing.assert_array_equal(functions.multiply(x, z), by_onnx_runtime("y = Mul(x, z)", x=x, z=z))


def test_the_largest_of_each_window() -> None:
    """-1 in an index is padding, which never is the largest."""
    x = np.asarray([-3.0, -1.0, -2.0, -5.0])
    index = np.asarray([[0, 1], [2, -1], [-1, 3]])
    assert functions.largest(index)(x).tolist() == [-1, -2, -5]


def test_large_numbers_do_not_overflow() -> None:
    """Where the plain formula would."""
    x = np.asarray([1000.0, 999.0, -1000.0])
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(functions.softmax(x), [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1)), 0], atol=1e-12)
        np.testing.assert_allclose(functions.log_softmax(x)[:2], [-np.log1p(np.exp(-1)), -np.log1p(np.exp(1))])
        assert functions.softplus(x).tolist() == [1000, 999, 0]
        assert functions.elu(1.0)(x).tolist() == [1000, 999, -1]


def test_every_function_is_tested_here() -> None:
    own = {name for name, value in vars(functions).items() if inspect.isfunction(value)}
    assert own == {*TWINS, "clip", "multiply", "largest"}
