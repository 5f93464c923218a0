"""ONNX Runtime, quietly, and what it says."""

from __future__ import annotations

import re

import numpy as np
import onnxruntime as ort
import pytest

from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.graph.run import RUNTIME_ERRORS, Probe, batches, numbers_of, start_quietly, zeros
from tests.models import mlp, save, text_model
from tests.passes import from_text, normal


def test_what_onnx_runtime_says_is_for_users(tmp_path) -> None:
    """Its message has a position in its source, a signature and a condition in front of what is wrong."""
    model = text_model(
        """m (float[N,4] x) => (float[N,3] y) <float[2,3] A, float[3,3] B, int64[2] ROWS> {
          [rows] r = Reshape(x, ROWS)  h = MatMul(r, A)  a = Relu(h)  y = MatMul(a, B) }""",
        ROWS=np.asarray([5, 2]),
    )
    with pytest.raises(RefusedError) as refused:
        convert(save(model, tmp_path / "m.onnx"), np.ones((8, 4), np.float32), code="rate")
    assert "node 'rows', Reshape: The input tensor cannot be reshaped to the requested shape" in str(refused.value)
    assert not re.search(r"\.h:|\.cc:|::| was false", str(refused.value))


def test_a_model_without_layers_is_measured(tmp_path) -> None:
    """There is nothing to look at in the 8-bit network beside it."""
    model = text_model("m (float[N,4] x) => (float[N,4] y) { n = Neg(x)  r = Relu(n)  y = Neg(r) }")
    conversion = convert(save(model, tmp_path / "m.onnx"), normal(64, 4), code="rate", n_steps=4)
    assert conversion.work.multiply_adds == 0
    assert Probe(from_text("m (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"), []).run({"x": normal(3, 4)}) == {}


def test_inner_values() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) <float[4] B> { a = Relu(x)  y = Add(a, B) }")
    values = [model.graph[0].outputs[0], model.graph.inputs[0], model.graph.initializers["B"]]
    x = normal(3, 4)
    arrays = Probe(model, values).run({"x": x, "unknown": x})
    assert list(arrays) == ["a", "x", "B"]
    np.testing.assert_array_equal(arrays["a"], np.maximum(x, 0))
    np.testing.assert_array_equal(numbers_of(model, values[0], {"x": x}), arrays["a"])
    np.testing.assert_array_equal(numbers_of(model, values[2], {}), arrays["B"])
    with pytest.raises(RefusedError, match=r"ONNX Runtime cannot run the model on these samples: .*rank"):
        Probe(model, values).run({"x": x[0]})


def test_what_cannot_be_loaded() -> None:
    with pytest.raises(RefusedError, match="ONNX Runtime cannot load the model: "):
        start_quietly(b"nothing")


def test_batches() -> None:
    feed = {"x": np.arange(5), "z": np.arange(5) * 2}
    assert [list(batch["z"]) for batch in batches(feed, 2)] == [[0, 2], [4, 6], [8]]


def test_zeros() -> None:
    model = from_text("m (float[N,4] x, int64[N] i) => (float[N,4] y) { y = Relu(x) }")
    feed = zeros(model, {"x": (3, 4), "i": (3,)})
    assert {name: (array.shape, array.dtype) for name, array in feed.items()} == {
        "x": ((3, 4), np.float32),
        "i": ((3,), np.int64),
    }


def test_errors_of_onnx_runtime(tmp_path) -> None:
    """A file that is no model, a graph that is none, an input that does not fit: none of them is a RuntimeError."""
    (tmp_path / "no.onnx").write_text("no model")
    for attempt in (
        lambda: ort.InferenceSession(tmp_path / "no.onnx"),
        lambda: ort.InferenceSession(mlp().SerializeToString()).run(None, {"x": np.ones((2, 3), np.float32)}),
    ):
        with pytest.raises(RUNTIME_ERRORS) as error:
            attempt()
        assert not isinstance(error.value, RuntimeError)
    assert not any(issubclass(ZeroDivisionError, each) for each in RUNTIME_ERRORS)
