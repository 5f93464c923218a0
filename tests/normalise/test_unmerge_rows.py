"""A matrix product sees the axes that an exporter merged into rows for it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes import common as common_passes

from converter.graph.passes import PassReport
from converter.graph.shapes import MANY_SAMPLES
from converter.normalise.unmerge_rows import unmerge_rows
from tests.passes import from_text, normal, op_types, outputs, shapes_of

MERGED = """m (float[N,{length},8] x) => (float[N,{length},3] y)
  <float[8,3] W, float[3] B, int64[2] ROWS, int64[1] ZERO, int64[1] ONE, int64[1] TWO, int64[1] THREE> {{
    t = Transpose<perm = [1, 0, 2]>(x)  merged = Reshape(t, ROWS)  {weights}  g = Gemm{how}(merged, w, B)
    shape = Shape(t)  n = Slice(shape, ZERO, TWO)  {columns}  target = Concat<axis = 0>(n, width)
    split = Reshape(g, target)  y = Transpose<perm = [1, 0, 2]>(split) }}"""
ARRAYS = {"ROWS": [-1, 8], "ZERO": [0], "ONE": [1], "TWO": [2], "THREE": [3]}
CONSTANT, FROM_THE_PRODUCT = "width = Identity(THREE)", "columns = Shape(g)  width = Gather(columns, ONE)"


def merged(length: str = "5", *, how: str = "", columns: str = CONSTANT, weights: str = "w = Identity(W)") -> ir.Model:
    """As an exporter writes a Linear on [length, samples, features]."""
    text = MERGED.format(length=length, how=how, columns=columns, weights=weights)
    model = from_text(text, **{name: np.asarray(array) for name, array in ARRAYS.items()})
    common_passes.IdentityEliminationPass()(model)
    return model


def unmerged(model: ir.Model) -> PassReport:
    """The same numbers before and after."""
    x = normal(4, 5, 8)
    (before,) = outputs(model, x=x)
    report = unmerge_rows(model, shapes_of(model), MANY_SAMPLES)
    np.testing.assert_allclose(outputs(model, x=x)[0], before, rtol=1e-5, atol=1e-6)
    return report


@pytest.mark.parametrize("length", ["5", "L"])
@pytest.mark.parametrize("columns", [CONSTANT, FROM_THE_PRODUCT])
def test_a_product_on_merged_rows(columns, length) -> None:
    model = merged(length, columns=columns)
    report = unmerged(model)
    assert report.changed == ("Gemm 'g': a MatMul on the axes that 'merged' merged into rows for it",)
    common_passes.RemoveUnusedNodesPass()(model)
    assert op_types(model)[-3:] == ["MatMul", "Add", "Transpose"]
    assert "Gemm" not in op_types(model)


@pytest.mark.parametrize("changes", [{"how": "<alpha = 0.5>"}, {"weights": "w = Relu(W)"}])
def test_products_that_are_not_plain(changes) -> None:
    model = merged(**changes)
    report = unmerged(model)
    assert report.declined == ("Gemm 'g': it is no plain product with constant weights",)
    assert not report


def test_rows_that_are_not_split_again() -> None:
    model = from_text(
        """m (float[N,8] x) => (float[N,6] y) <float[4,3] W, int64[2] ROWS, int64[2] BACK> {
          merged = Reshape(x, ROWS)  g = Gemm(merged, W)  rows = Reshape(g, BACK)  y = Relu(rows) }""",
        ROWS=np.asarray([-1, 4]),
        BACK=np.asarray([-1, 6]),
    )
    report = unmerge_rows(model, shapes_of(model), MANY_SAMPLES)
    assert report.declined == ("Gemm 'g': 'rows' does not split its rows again",)


def test_other_products_are_not_mentioned() -> None:
    model = from_text("m (float[N,8] x) => (float[N,3] y) <float[8,3] W> { y = Gemm(x, W) }")
    report = unmerge_rows(model, shapes_of(model), MANY_SAMPLES)
    assert report.changed == report.declined == ()
