"""Samples lie in axis 0 for activations that have them elsewhere, and the model computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from converter.graph.shapes import annotate
from converter.spiking.batch_first import batch_first
from tests.passes import axes_of, from_text, normal, op_types, outputs


@pytest.mark.parametrize(
    ("activation", "nodes"),
    [
        ("[act] a = Relu(h)", ["Transpose", "Relu", "Transpose"]),
        ("g = Sigmoid(h)  [act] a = Mul(h, g)", ["Transpose", "Sigmoid", "Mul", "Transpose"]),
    ],
)
def test_an_activation_on_sequences(activation, nodes) -> None:
    model = from_text(
        f"""m (float[N,5,4] x) => (float[N,5,4] y) <float[4,4] W> {{
          t = Transpose<perm = [1, 0, 2]>(x)  h = MatMul(t, W)  {activation}  k = MatMul(a, W)
          y = Transpose<perm = [1, 0, 2]>(k) }}"""
    )
    annotate(model, {"x": (1, 5, 4)})
    x = normal(3, 5, 4)
    before, axes = outputs(model, x=x), axes_of(model)
    report, new = batch_first(model, axes)
    assert report.changed == (
        f"{nodes[-2]} 'act': its samples lay in axis 1: Transposes before and after it put them in axis 0 and back",
    )
    assert op_types(model) == ["Transpose", "MatMul", *nodes, "MatMul", "Transpose"]
    assert [new.axis[name] for name in ("h", "h_of_act", "a_batch_first", "a")] == [1, 0, 0, 1]
    assert "h_of_act" not in axes.axis  # the caller's stay as they were
    assert new.axis == axes_of(model).axis
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])


def test_numbers_for_each_element_are_not_turned() -> None:
    model = from_text(
        """m (float[N,5,4] x) => (float[N,5,4] y) <float[4] SLOPES> {
          t = Transpose<perm = [1, 0, 2]>(x)  [act] a = PRelu(t, SLOPES)  y = Transpose<perm = [1, 0, 2]>(a) }"""
    )
    annotate(model, {"x": (1, 5, 4)})
    axes = axes_of(model)
    report, new = batch_first(model, axes)
    assert report.declined == ("PRelu 'act': its samples lie in axis 1, and its elements have numbers of their own",)
    assert new is axes


def test_samples_in_axis_0_are_not_mentioned() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    report, _ = batch_first(model, axes_of(model))
    assert report.changed == report.declined == ()
    assert op_types(model) == ["Relu"]
