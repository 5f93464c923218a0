"""Where each operator puts the samples, held against what ONNX Runtime computes; how each mixes them: tests/refusals."""

from __future__ import annotations

import numpy as np
import pytest

from converter.graph.batch_axis import BatchWalk
from converter.graph.batch_rules import OPEN, RULES
from converter.graph.op_facts import OPS, Channels
from converter.graph.shapes import MANY_SAMPLES, infer_shapes
from tests.passes import from_text, normal, outputs

ARRAYS = {
    "I0": [0], "I1": [1], "I2": [2], "BACK": [-1], "TO": [0, 2, 8], "FLAT": [-1, 4], "TWICE": [1, 2, 1], "WIDE": [1, 4, 4],
    "PADS": [0, 1, 0, 0, 0, 0], "ROWS": [1, 2], "TWO": [2], "HALVES": [2, 2],
    "FAR4": [3, 1, 1, 1], "PICKED": [[0], [2]],
}  # fmt: skip
PLACES = [
    ("Relu(x)", 0),
    ("Add(x, EACH)", 0),
    ("Transpose<perm = [1, 2, 0]>(x)", 2),
    ("Reshape(x, TO)", 0),
    ("Reshape(x, FLAT)", 0),
    ("Flatten<axis = 2>(x)", 0),
    ("Unsqueeze(x, I0)", 1),
    ("Unsqueeze(x, I2)", 0),
    ("ReduceSum<keepdims = 0>(x, I1)", 0),
    ("Slice(x, I0, TWO, I1)", 0),
    ("Pad(x, PADS)", 0),
    ("Tile(x, TWICE)", 0),
    ("Expand(x, FAR4)", 1),
    ("Gather<axis = 1>(x, ROWS)", 0),
    ("Gather<axis = 2>(x, ROWS)", 0),
    ("Softmax<axis = 1>(x)", 0),
    ("LayerNormalization<axis = -1>(x, EACH)", 0),
    ("CumSum(x, I1)", 0),
    ("ArgMax<axis = 1, keepdims = 0>(x)", 0),
    ("Concat<axis = 2>(x, x)", 0),
    ("MatMul(x, W)", 0),
    ("MatMul(W, x)", 0),
    ('Einsum<equation = "bij,jk->kbi">(x, W)', 1),
    ("TopK<axis = 1>(x, TWO)", 0),
    ("Trilu(x)", OPEN),
    ("GatherND(turned, PICKED)", 1),
    ("LayerNormalization<axis = -1>(x, means)", 0),
]


def walk(body: str) -> tuple:
    """The walk after `y = body`, of x [samples, 4, 4], and what the model computes."""
    arrays = {name: np.asarray(array) for name, array in ARRAYS.items()}
    declared = ", ".join(f"int64{list(array.shape)} {name}" for name, array in arrays.items())
    outputs_of = "y, z" if body.startswith("TopK") else "y"
    model = from_text(
        f"""m (float[N,4,4] x) => (float[] y) <float[4,4] W, float[4] EACH, {declared}> {{
          turned = Transpose<perm = [1, 0, 2]>(x)  means = ReduceMean(x, I1)  {outputs_of} = {body} }}""",
        **arrays,
    )
    model.graph.outputs[0].shape = model.graph.outputs[0].type = None
    found = BatchWalk(["x"], MANY_SAMPLES)
    shapes = infer_shapes(model, {"x": (MANY_SAMPLES, 4, 4)})
    for node in model.graph:
        found.follow(node, shapes)
    return found, model


@pytest.mark.parametrize(("body", "place"), PLACES)
def test_where_the_samples_go(body, place) -> None:
    """In another order they give the same, in that order along the axis."""
    found, model = walk(body)
    assert found.axis["y"] == place
    assert found.unproven == (["y"] if place is OPEN else [])
    if place is OPEN:
        return
    x, order = normal(MANY_SAMPLES, 4, 4), np.random.default_rng(0).permutation(MANY_SAMPLES)
    expected, turned = outputs(model, x=x)[0], outputs(model, x=x[order])[0]
    blocks = expected.shape[place] // MANY_SAMPLES
    rows = (order[:, None] * blocks + np.arange(blocks)).ravel()
    np.testing.assert_allclose(turned, expected.take(rows, place), rtol=1e-5, atol=1e-6)


def test_every_row_of_the_table_that_tells_the_place_has_a_rule() -> None:
    told = {name for name, row in OPS.items() if row.elementwise or row.channels is Channels.FIRST}
    assert told < RULES.keys()


def test_rows_for_each_sample_that_are_all_the_same() -> None:
    model = from_text(
        """m (float[N,4] x) => (float[N,4] y) <float[1,4] TOKEN> {
          s = Shape(x)  t = Expand(TOKEN, s)  u = Sin(t)  y = Add(u, x) }"""
    )
    found = BatchWalk(["x"], MANY_SAMPLES)
    shapes = infer_shapes(model, {"x": (MANY_SAMPLES, 4)})
    for node in model.graph:
        found.follow(node, shapes)
    assert found.same == {"t", "u"}
    axes = found.axes()
    assert (axes.axis["s"], axes.axis["u"], axes.axis["y"]) == (None, 0, 0)
    values = {value.name: value for node in model.graph for value in node.outputs}
    assert [axes.changes(values[name]) for name in ("s", "u", "y")] == [False, False, True]
    assert axes.place(values["s"]) == 0
