"""Weights that are too small to count, with the numbers that a model gives."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from converter.graph.build import constant_of
from converter.normalise.flush_subnormals import flush_subnormals
from tests.models import text_model

TINY = np.finfo(np.float32).tiny
W = np.asarray([[1, 1e-40, -TINY / 2], [TINY, 0, -3e-42], [-TINY, 2, 1e-30]], np.float32)


def model(element: str = "float", weights: np.ndarray = W):
    return text_model(
        f"""m ({element}[N,3] x) => ({element}[N,3] y) <{element}[3,3] W, {element}[3] B> {{
          h = MatMul(x, W)  b = Add(h, B)  y = Mul(b, B) }}""",
        W=weights,
        B=np.asarray([1, 2, 1e-41]),
    )


def test_weights_below_the_smallest_normal_number_are_0() -> None:
    """The smallest one stays, and so do constants of other nodes."""
    graph = ir.from_proto(model())
    report = flush_subnormals(graph)
    (line,) = report.changed
    assert "3 numbers of 'W'" in line
    found = {name: constant_of(value) for name, value in graph.graph.initializers.items()}
    np.testing.assert_array_equal(found["W"], np.where(np.abs(W) < TINY, 0, W))
    assert found["B"][2] != 0
    assert not flush_subnormals(graph)


def test_results_stay() -> None:
    """Bit for bit, where anything else is added."""
    before, after = model(), ir.from_proto(model())
    flush_subnormals(after)
    x = np.random.default_rng(0).uniform(0.1, 1, (50, 3)).astype(np.float32)
    a, b = (ort.InferenceSession(m.SerializeToString()).run(None, {"x": x})[0] for m in (before, ir.to_proto(after)))
    np.testing.assert_array_equal(a[:, :2], b[:, :2])
    np.testing.assert_allclose(a, b, atol=1e-37)


@pytest.mark.parametrize(("element", "least"), [("float16", 6e-8), ("double", 1e-40)])
def test_other_types(element, least) -> None:
    """Of float16, subnormal numbers count; in float64 1e-40 is none."""
    graph = ir.from_proto(model(element, np.full((3, 3), least)))
    assert not flush_subnormals(graph)
