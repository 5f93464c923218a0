"""Functions of one signal are found however they are written."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from converter.activations.functions import find_functions
from converter.graph.shapes import annotate
from tests.models import text_model


def functions(body: str) -> list[list[str]]:
    """The nodes of each function between `x` and `y`; only what follows from `x` changes."""
    text = f"m (float[N,4] x) => (float[N,4] y) <float[] TWO, float[4] EACH, int64[] THREE> {{ {body} }}"
    model = ir.from_proto(text_model(text, opset=18))
    annotate(model, {"x": (2, 4)})
    changing = set(model.graph.inputs)
    for node in model.graph:
        if any(value in changing for value in node.inputs):
            changing.update(node.outputs)
    return [[node.op_type for node in f.nodes] for f in find_functions(model, lambda value: value in changing)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("y = Relu(x)", [["Relu"]]),
        ("y = Add(x, TWO)", []),
        ("g = Sigmoid(x)  y = Mul(x, g)", [["Sigmoid", "Mul"]]),
        ("r = Relu(x)  s = Mul(r, TWO)  y = Min(s, TWO)", [["Relu", "Mul", "Min"]]),
        ("r = Relu(x)  s = Mul(r, EACH)  y = Min(s, TWO)", [["Relu"], ["Min"]]),
        # a Dropout and a Mean of one function are no reason to cut it in two
        ("r = Relu(x)  s = Dropout(r)  y = Min(s, TWO)", [["Relu", "Dropout", "Min"]]),
        ("g = Sigmoid(x)  m = Mean(g, x)  y = Mul(m, x)", [["Sigmoid", "Mean", "Mul"]]),
        ("y = Mod<fmod = 1>(x, TWO)", [["Mod"]]),
        # truth values are parts of functions, and none by themselves
        ("n = IsNaN(x)  y = Where(n, TWO, x)", [["IsNaN", "Where"]]),
        ("p = Greater(x, TWO)  q = Less(x, EACH)  b = Xor(p, q)  y = Cast<to = 1>(b)", []),
        # another type of elements ends no function, and nothing is joined through it
        ("r = Relu(x)  d = Cast<to = 11>(r)  s = Tanh(d)  y = Cast<to = 1>(s)", [["Relu"], ["Tanh"]]),
        # a function of indices is no activation
        ("i = Cast<to = 7>(x)  j = Max(i, THREE)  y = Cast<to = 1>(j)", []),
    ],
)
def test_functions(body, found) -> None:
    assert functions(body) == found
