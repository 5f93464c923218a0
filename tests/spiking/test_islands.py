"""What is not linear stays exact between neurons."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.graph.build import to_proto
from converter.spiking.islands import analog_islands, find_islands
from converter.spiking.place_time import place_time
from tests.models import samples, save, text_model
from tests.passes import from_text, normal, outputs
from tests.spiking.neurons import difference, run, spiking


def island_model():
    """A maximum between two layers of neurons, which does not commute with a mean over time."""
    return text_model(
        """m (float[N,6] x) => (float[N,3] y) <float[6,8] W, float[6,8] U, float[8,4] V, float[4,3] Z> {
          h = MatMul(x, W)  a = Relu(h)  g = MatMul(x, U)  b = Relu(g)  both = Max(a, b)
          k = MatMul(both, V)  c = Relu(k)  y = MatMul(c, Z) }"""
    )


def test_analog_island_is_exact_in_the_mean(tmp_path) -> None:
    proto = island_model()
    x = samples(proto)
    conversion = convert(save(proto, tmp_path / "m.onnx"), x, percentile=100.0)
    assert [island.op_types for island in conversion.islands] == [("Max",)]
    types = [node.op_type for node in conversion.proto().graph.node]
    assert types.count("RunningMean") == 2
    assert types.count("RunningDifference") == 1
    (expected,) = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=400).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02


BETWEEN = """m (float[N,6] x) => (float[N,3] y) <float[6,8] W, float[6,8] U, float[8,4] V, float[4,3] Z> {{
  h = MatMul(x, W)  [first] a = {activation}(h)  g = MatMul(x, U)  [second] b = {activation}(g)  {body}
  k = MatMul(both, V)  [third] c = {activation}(k)  y = MatMul(c, Z) }}"""


@pytest.mark.parametrize(
    ("body", "islands", "lines"),
    [
        ("both = Add(a, b)", [], []),
        (
            "[most] both = Max(a, b)",
            [("most",)],
            ["Max 'most': sees the running mean of 'a'", "Max 'most': sees the running mean of 'b'",
             "Max 'most': its result 'both' goes on as a current, by its running difference"],
        ),
        (
            "[gate] p = Mul(a, b)  [half] q = Neg(p)  [most] both = Max(q, a)",
            [("gate", "half", "most")],
            ["Mul 'gate': sees the running mean of 'a'", "Mul 'gate': sees the running mean of 'b'",
             "Max 'most': sees the running mean of 'a'",
             "Max 'most': its result 'both' goes on as a current, by its running difference"],
        ),
        (
            "[soft] s = Softmax(a)  [gate] t = Mul(b, a)  both = Add(s, t)",
            [("soft",), ("gate",)],
            ["Softmax 'soft': sees the running mean of 'a'", "Mul 'gate': sees the running mean of 'b'",
             "Mul 'gate': sees the running mean of 'a'",
             "Softmax 'soft': its result 's' goes on as a current, by its running difference",
             "Mul 'gate': its result 't' goes on as a current, by its running difference"],
        ),
    ],
)  # fmt: skip
def test_islands_and_what_is_reported(body, islands, lines) -> None:
    text = BETWEEN.format(activation="Relu", body=body)
    made = spiking(text)
    report, axes, found = analog_islands(made.model, made.n_steps, made.axes)
    assert [island.nodes for island in found] == islands
    assert list(report.changed) == lines
    new = axes.axis.keys() - made.axes.axis.keys()
    assert {name: axes.axis[name] for name in new} == dict.fromkeys(new, 0)
    assert len(new) == sum("Running" in node.op_type for node in made.model.graph)
    place_time(made.model, made.n_steps, axes)
    x = 0.5 * normal(32, 6)
    (expected,) = outputs(from_text(text), x=x)
    assert difference(run(made.model, x), expected) < 0.03


def test_neurons_that_track_a_target() -> None:
    """SigmaDelta gets the function of the running mean as it is."""
    text = BETWEEN.format(activation="Tanh", body="both = Add(a, b)")
    made = spiking(text, neuron="sigma-delta")
    report, axes, found = analog_islands(made.model, made.n_steps, made.axes, made.functions)
    assert found == []
    assert report.changed == ("Tanh 'third_function': sees the running mean of 'k'",)
    place_time(made.model, made.n_steps, axes)
    x = 0.5 * normal(32, 6)
    (expected,) = outputs(from_text(text), x=x)
    assert difference(run(made.model, x), expected) < 0.03


def test_a_target_that_is_a_current() -> None:
    """A SigmaDelta for a function that left nothing in the graph but itself."""
    made = spiking(BETWEEN.format(activation="Relu", body="both = Add(a, b)"), neuron="sigma-delta")
    report, _, _ = analog_islands(made.model, made.n_steps, made.axes, made.functions)
    assert [line.split(": ")[1] for line in report.changed] in (
        ["tracks the running mean of 'k'"],
        ["sees the running mean of 'k'"],
    )


def test_islands_of_a_model_that_does_not_run_step_by_step() -> None:
    made = spiking(BETWEEN.format(activation="Relu", body="[most] both = Max(a, b)"))
    before = to_proto(made.model).SerializeToString(deterministic=True)
    assert [island.op_types for island in find_islands(made.model, made.functions)] == [("Max",)]
    assert to_proto(made.model).SerializeToString(deterministic=True) == before
