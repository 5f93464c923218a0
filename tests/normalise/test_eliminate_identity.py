"""Identity goes where that changes nothing; outputs keep their names, and what goes out twice goes out twice."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from converter.normalise.eliminate_identity import eliminate_identity
from tests.models import convert_model, samples, text_model
from tests.passes import from_text, normal, op_types, outputs


@pytest.mark.parametrize(
    ("results", "body", "left"),
    [
        ("y", "a = Identity(x)  r = Relu(a)  b = Identity(r)  c = Identity(b)  y = Neg(c)", ["Relu", "Neg"]),
        ("y", "r = Relu(x)  y = Identity(r)", ["Relu"]),
        ("y, z", "r = Relu(x)  y = Identity(r)  z = Neg(r)", ["Relu", "Neg"]),
        ("r, y", "r = Relu(x)  y = Identity(r)", ["Relu", "Identity"]),
        ("y, z", "r = Relu(x)  y = Identity(r)  z = Identity(r)", ["Relu", "Identity"]),
        ("y, z", "y = Relu(x)  a = Identity(y)  z = Identity(a)", ["Relu", "Identity"]),
        ("y, z", "y = Identity(x)  z = Relu(y)", ["Identity", "Relu"]),
        ("y, z", "a = Identity(W)  y = Identity(a)  z = Add(x, a)", ["Identity", "Add"]),
    ],
)
def test_the_same_outputs(results, body, left) -> None:
    declared = ", ".join(f"float[N,4] {name}" for name in results.split(", "))
    model = from_text(f"m (float[N,4] x) => ({declared}) <float[1,4] W> {{ {body} }}")
    x = normal(3, 4)
    before = outputs(model, x=x)
    report = eliminate_identity(model)
    assert sorted(op_types(model)) == sorted(left)
    assert [value.name for value in model.graph.outputs] == results.split(", ")
    assert len(report.changed) + len(report.declined) == body.count("Identity")
    assert len(report.declined) == left.count("Identity")
    for a, b in zip(outputs(model, x=x), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_branch_makes_what_it_gives() -> None:
    """A subgraph may not hand on a value of the graph around it, so its Identity stays."""
    model = from_text(
        """m (float[N,4] x) => (float[N,4] y) <int64[1] ONE> {
          v = Neg(x)  a = Identity(v)  s = Shape(x)  n = ReduceMax(s)  c = Equal(n, ONE)
          y = If(c) <
            then_branch = g1 () => (float[N,4] b) { b = Identity(a) },
            else_branch = g2 () => (float[N,4] d) { d = Relu(a) }
          > }""",
        ONE=np.asarray([4]),
    )
    before = [outputs(model, x=normal(n, 4)) for n in (2, 5)]
    eliminate_identity(model)
    assert "Identity" not in op_types(model)
    for n, expected in zip((2, 5), before, strict=True):
        np.testing.assert_array_equal(outputs(model, x=normal(n, 4))[0], expected[0])


@pytest.mark.parametrize("code", ["delta", "rate"])
@pytest.mark.parametrize("copy", ["Identity", "Dropout"])
def test_a_spiking_model_gives_every_copy(copy, code, tmp_path) -> None:
    """Of the last value, of a hidden one and of the input."""
    model = text_model(
        f"""m (float[N,6] x) => (float[N,4] y, float[N,4] y2, float[N,8] r, float[N,8] r2, float[N,6] x2, float[N,6] x3)
        <float[6,8] A, float[8,4] B> {{
          h = MatMul(x, A)  r = Relu(h)  y = MatMul(r, B)
          y2 = {copy}(y)  r2 = {copy}(r)  x2 = {copy}(x)  x3 = {copy}(x2) }}"""
    )
    _, spiking = convert_model(model, tmp_path, code=code, n_steps=64)
    x = samples(model)
    session = snn_ops.Session(spiking)
    original = ort.InferenceSession(model.SerializeToString())
    assert session.output_names == [output.name for output in original.get_outputs()]
    for found, expected in zip(session.run(x), original.run(None, {"x": x}), strict=True):
        assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
