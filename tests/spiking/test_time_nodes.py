"""RunningMean, TimeMean and the like after values of a graph."""

from __future__ import annotations

import numpy as np
import pytest

from converter.spiking.time_nodes import TimeNodes
from tests.passes import normal, op_types
from tests.spiking.neurons import run, spiking


def test_each_once() -> None:
    made = spiking(
        "m (float[N,4] x) => (float[N,4] y) { h = Relu(x)  y = MatMul(h, h2) }".replace("MatMul(h, h2)", "Neg(h)")
    )
    time = TimeNodes(made.n_steps, made.axes)
    h = made.node("y").inputs[0]
    first = time.after(made.model.graph, "RunningMean", h)
    assert time.after(made.model.graph, "RunningMean", h) is first
    assert time.after(made.model.graph, "TimeMean", h) is not first
    assert op_types(made.model).count("RunningMean") == op_types(made.model).count("TimeMean") == 1
    assert time.axes.axis[first.name] == made.axes.axis[h.name] == 0
    assert first.name not in made.axes.axis


@pytest.mark.parametrize("samples_in", [0, 1])
def test_samples_in_another_axis(samples_in) -> None:
    """Into time and out of it again, the same numbers: time is merged with the samples, wherever these lie."""
    turned = "Transpose<perm = [1, 0, 2]>" if samples_in else "Identity"
    made = spiking(f"m (float[N,5,4] x) => (float[N,5,4] y) {{ t = {turned}(x)  n = Neg(t)  y = {turned}(n) }}")
    graph = made.model.graph
    t = next(node for node in graph if node.outputs[0].name == "t").outputs[0]
    time = TimeNodes(made.n_steps, made.axes)
    repeated = time.after(graph, "TimeRepeat", t)
    mean = time.after(graph, "TimeMean", repeated)
    assert time.axes.axis[repeated.name] == time.axes.axis[mean.name] == samples_in
    assert op_types(made.model).count("Transpose") == (2 + 4 if samples_in else 0)
    made.node("n").replace_input_with(0, mean)
    x = normal(3, 5, 4)
    np.testing.assert_allclose(run(made.model, x, 7), -x, rtol=1e-6)


def test_integers_are_tiled() -> None:
    made = spiking("m (float[N,4] x) => (float[N,4] y) { i = Cast<to = 7>(x)  y = Cast<to = 1>(i) }")
    i = made.node("y").inputs[0]
    result = TimeNodes(made.n_steps, made.axes).after(made.model.graph, "TimeRepeat", i)
    assert result.producer().op_type == "Tile"
    made.node("y").replace_input_with(0, result)
    x = np.trunc(3 * normal(2, 4))
    np.testing.assert_array_equal(run(made.model, x, 3), np.concatenate([x, x, x]))
