"""Which nodes run when."""

from __future__ import annotations

import pytest

from converter.spiking.regions import find_regions, runs_through_time
from snn_ops.ops import OPERATORS, Time
from tests.spiking.neurons import spiking

TWO_LAYERS = """m (float[N,4] x) => (float[N,4] y) <float[4,4] W> {
  [into] h = MatMul(x, W)  [first] a = Relu(h)  [between] k = MatMul(a, W)  [second] b = Relu(k)  [read] z = MatMul(b, W)
  y = Softmax(z) }"""


def names(nodes) -> set[str]:
    return {node.name for node in nodes}


def test_regions() -> None:
    regions = find_regions(spiking(TWO_LAYERS).model)
    assert names(regions.temporal) == {"first", "between", "second"}
    assert names(regions.tail) == {"read", "y"}
    assert names(regions.shaped) == set()


def test_a_shape_between_neurons_is_no_signal() -> None:
    """A constant that is expanded by it has T*B rows; a value of the samples that meets it is temporal."""
    text = """m (float[N,4] x) => (float[N,4] y) <float[4,4] W, float[1,4] TOKEN> {
      [into] h = MatMul(x, W)  [first] a = Relu(h)  [shape] s = Shape(a)  [token] t = Expand(TOKEN, s)
      [early] e = Expand(x, s)  [join] j = Sum(a, t, e)  [second] b = Relu(j)  y = MatMul(b, W) }"""
    regions = find_regions(spiking(text).model)
    assert names(regions.shaped) == {"shape", "token"}
    assert names(regions.temporal) == {"first", "early", "join", "second"}


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_what_runs_through_time(schedule) -> None:
    """Neurons and running means and differences do; what leads into time and out of it, and rates, do not."""
    model = spiking(TWO_LAYERS).model
    assert names(node for node in model.graph if runs_through_time(node)) == {"first", "second"}
    node = next(node for node in model.graph if node.name == "first")
    through_time = set()
    for name in OPERATORS:
        node.op_type = name
        if runs_through_time(node):
            through_time.add(name)
    assert through_time == {n for n, o in OPERATORS.items() if o.time in (Time.STEPS, Time.AT_ONCE)}
    assert through_time >= {"IF", "LIF", "CountIF", "RunningMean", "RunningDifference"}
    assert not through_time & {"TimeRepeat", "TimeMean", "LIFRate", "SoftLIFRate"}
