"""What a graph computes from the shapes of its values."""

from __future__ import annotations

import numpy as np

from converter.normalise.shape_numbers import ShapeNumbers
from tests.passes import from_text

MODEL = """m (float[N,6] x) => (float[N,2,3] y) <int64[1] ZERO, int64[1] TWO, int64[1] REST> {
  s = Shape(x)  n = Gather(s, ZERO)  twice = Mul(n, TWO)  t = Concat<axis = 0>(n, TWO, REST)  r = Relu(x)
  y = Reshape(r, t) }"""


def follow(shapes: dict[str, tuple[int, ...]]) -> tuple[ShapeNumbers, dict]:
    model = from_text(MODEL, ZERO=np.zeros(1), TWO=np.full(1, 2), REST=-np.ones(1))
    numbers = ShapeNumbers(lambda value: shapes.get(str(value.name)))
    for node in model.graph:
        numbers.follow(node)
    values = {str(value.name): value for node in model.graph for value in node.outputs}
    return numbers, {**values, "node": model.graph[-1]}


def test_of_a_known_shape() -> None:
    numbers, values = follow({"x": (5, 6), "r": (5, 6)})
    assert all(numbers.knows(values[name]) for name in ("s", "n", "twice", "t"))
    assert not numbers.knows(values["r"])
    assert numbers.comes_from_shapes(values["twice"])
    assert not numbers.comes_from_shapes(values["r"])
    assert numbers.reshaped(values["node"]) == (5, 2, 3)


def test_of_an_unknown_shape() -> None:
    numbers, values = follow({})
    assert not numbers.knows(values["s"])
    assert numbers.comes_from_shapes(values["t"])
    assert numbers.reshaped(values["node"]) is None


def test_a_target_that_does_not_fit() -> None:
    numbers, values = follow({"x": (5, 6), "r": (5, 7)})
    assert numbers.reshaped(values["node"]) is None
