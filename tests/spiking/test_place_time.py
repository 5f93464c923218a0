"""Time is where it is needed and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from converter.spiking.place_time import place_time
from tests.passes import from_text, normal, op_types, outputs
from tests.spiking.neurons import difference, run, spiking

SHORTCUT = """m (float[N,6] x) => (float[N,6] y) <float[6,6] W> {
  [into] h = MatMul(x, W)  [first] a = Relu(h)  k = MatMul(a, W)  [shortcut] s = Add(k, h)  [second] b = Relu(s)
  [read] z = MatMul(b, W)  y = Softmax(z) }"""


def test_what_runs_once_and_what_at_every_step() -> None:
    made = spiking(SHORTCUT)
    report, axes = place_time(made.model, made.n_steps, made.axes)
    assert report.changed == (
        "IF 'first': its current is the same at every step, and is computed once",
        "Add 'shortcut': runs at every step, where 'h' is repeated for it",
        "MatMul 'read': runs once, on what TimeMean gives of 'b'",
    )
    assert [made.node(name).attributes["constant_current"].as_int() for name in ("first", "second")] == [1, 0]
    assert op_types(made.model).count("TimeRepeat") == op_types(made.model).count("TimeMean") == 1
    assert axes.axis.items() >= {"h_TimeRepeat": 0, "b_TimeMean": 0}.items()
    assert "h_TimeRepeat" not in made.axes.axis
    x = 0.5 * normal(32, 6)
    (expected,) = outputs(from_text(SHORTCUT), x=x)
    assert difference(run(made.model, x), expected) < 0.03


def test_an_output_that_spikes_becomes_a_mean() -> None:
    text = """m (float[N,6] x) => (float[N,4] b, float[N,6] a) <float[6,6] W, float[6,4] V> {
      h = MatMul(x, W)  [first] a = Relu(h)  k = MatMul(a, V)  [second] b = Relu(k) }"""
    made = spiking(text)
    report, axes = place_time(made.model, made.n_steps, made.axes)
    assert report.changed[-2:] == (
        "output 'b': is taken out of time by TimeMean",
        "output 'a': is taken out of time by TimeMean",
    )
    assert [value.name for value in made.model.graph.outputs] == ["b", "a"]
    assert axes.axis["a_spikes"] == axes.axis["a"] == 0
    x = 0.5 * normal(32, 6)
    assert difference(run(made.model, x), outputs(from_text(text), x=x)[0]) < 0.03


@pytest.mark.parametrize("where", ["Greater", "Equal"])
def test_masks_are_tiled(where) -> None:
    """A truth value is no current."""
    text = f"""m (float[N,6] x) => (float[N,6] y) <float[6,6] W, float[] ZERO> {{
      p = {where}(x, ZERO)  h = MatMul(x, W)  [first] a = Relu(h)  n = Neg(a)  [choice] w = Where(p, a, n)
      k = MatMul(w, W)  [second] b = Relu(k)  y = MatMul(b, W) }}"""
    made = spiking(text, ZERO=np.asarray(0))
    report, _ = place_time(made.model, made.n_steps, made.axes)
    assert "Where 'choice': runs at every step, where 'p' is repeated for it" in report.changed
    assert "Tile" in op_types(made.model)
    x = 0.5 * normal(32, 6)
    (expected,) = outputs(from_text(text, ZERO=np.asarray(0)), x=x)
    assert difference(run(made.model, x), expected) < 0.03


def test_constants_are_not_repeated() -> None:
    text = """m (float[N,6] x) => (float[N,6] y) <float[6,6] W, float[6] B> {
      h = MatMul(x, W)  [first] a = Relu(h)  s = Add(a, B)  k = MatMul(s, W)  [second] b = Relu(k)  y = MatMul(b, W) }"""
    made = spiking(text)
    place_time(made.model, made.n_steps, made.axes)
    assert "TimeRepeat" not in op_types(made.model)
