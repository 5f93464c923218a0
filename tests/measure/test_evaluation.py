"""Evaluation: one simulation against runs of each number of steps."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.engine.local import LocalEngine
from converter.io.samples import Samples
from converter.io.shards import find
from converter.measure.evaluation import evaluate, evaluate_data
from converter.normalise.ann import load_ann
from converter.spiking.model import SpikingModel
from tests.models import convnet, mlp, samples, save, text_model

STEPS = [1, 3, 8, 20]
WITH_SHORTCUT_INTO_THE_TAIL = text_model(
    """m (float[N,6] x) => (float[N,6] y, float[N,4] a) <float[6,4] W, float[4,6] V> {
      h = MatMul(x, W)  a = Relu(h)  k = MatMul(a, V)  s = Add(k, x)  y = Softmax(s) }"""
)
WITH_AN_OUTPUT_BEFORE_THE_NEURONS = text_model(
    """m (float[N,6] x) => (float[N,5] y, float[N,6] same, float[N,4] h) <float[6,4] W, float[4,5] V> {
      same = Identity(x)  h = MatMul(x, W)  a = Relu(h)  y = MatMul(a, V) }"""
)
WITH_THE_LENGTH_IN_FRONT = text_model(
    """m (float[N,3,6] x) => (float[N,4] y) <float[6,6] W, float[6,6] V, float[6,4] U> {
      t = Transpose<perm = [1, 0, 2]>(x)  h = MatMul(t, W)  a = Relu(h)  k = MatMul(a, V)  s = Add(k, t)
      m = ReduceMean<axes = [0], keepdims = 0>(s)  y = MatMul(m, U) }"""
)


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize(
    "model",
    [
        mlp(),
        mlp("Tanh"),
        convnet(),
        WITH_SHORTCUT_INTO_THE_TAIL,
        WITH_AN_OUTPUT_BEFORE_THE_NEURONS,
        WITH_THE_LENGTH_IN_FRONT,
    ],
    ids=["mlp", "tanh", "convnet", "shortcut", "output before neurons", "length in front"],
)
def test_one_simulation_equals_many(model, backend, schedule, tmp_path) -> None:
    path = save(model, tmp_path / "m.onnx")
    x = samples(model, 50)
    convert(path, x, schedule=schedule, code="rate").save(tmp_path / "m.snn.onnx")
    spiking = SpikingModel(tmp_path / "m.snn.onnx")
    ann = load_ann(path)
    labels = np.random.default_rng(0).integers(0, 4, len(x))
    found = evaluate(spiking, Samples({"x": x}, labels), STEPS, against=ann, backend=backend)

    one = ort.InferenceSession(path)
    fixed = ann.batch == 1
    rows = [x[i : i + 1] for i in range(len(x))] if fixed else [x]
    expected = [np.concatenate(parts) for parts in zip(*(one.run(None, {"x": row}) for row in rows), strict=True)]
    session = snn_ops.Session(tmp_path / "m.snn.onnx", backend=backend)
    assert found.samples == 50
    assert found.ann_accuracy == pytest.approx((expected[0].argmax(1) == labels).mean())
    for steps, result in zip(STEPS, found.steps, strict=True):
        outputs = session.run(x, n_steps=steps)
        assert result.n_steps == steps
        assert result.accuracy == pytest.approx((outputs[0].argmax(1) == labels).mean())
        assert result.agreement == pytest.approx((outputs[0].argmax(1) == expected[0].argmax(1)).mean())
        error = sum(((a - b) ** 2).sum() for a, b in zip(outputs, expected, strict=True))
        power = sum((b**2).sum() for b in expected)
        assert result.relative_error == pytest.approx(np.sqrt(error / power), rel=1e-4)
        for (name, output), a, b in zip(result.outputs.items(), outputs, expected, strict=True):
            assert name in session.output_names
            assert output.relative_error == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-4)
            cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
            assert output.cosine == pytest.approx(cosine, rel=1e-4)


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_the_first_output_may_be_the_class_itself(schedule, tmp_path) -> None:
    """As of a classifier of scikit-learn: its number, and behind it the scores."""
    model = text_model(
        """m (float[N,6] x) => (int64[N] label, float[N,4] scores) <float[6,8] W, float[8,4] V, int64[4] CLASSES> {
          h = MatMul(x, W)  a = Relu(h)  scores = MatMul(a, V)  i = ArgMax<axis = 1, keepdims = 0>(scores)
          label = Gather<axis = 0>(CLASSES, i) }""",
        CLASSES=np.asarray([3, 5, 7, 9]),
    )
    path = save(model, tmp_path / "m.onnx")
    x = samples(model, 50)
    convert(path, x, schedule=schedule, code="rate").save(tmp_path / "m.snn.onnx")
    expected = ort.InferenceSession(path).run(["label"], {"x": x})[0]
    labels = np.where(np.arange(50) % 5 == 0, 3, expected)
    found = evaluate(SpikingModel(tmp_path / "m.snn.onnx"), Samples({"x": x}, labels), [2, 64], against=load_ann(path))
    assert found.ann_accuracy == pytest.approx((expected == labels).mean())
    for step in found.steps:
        (classes,) = snn_ops.Session(tmp_path / "m.snn.onnx", n_steps=step.n_steps).run(x, outputs=["label"])
        assert step.accuracy == pytest.approx((classes == labels).mean())
        assert step.agreement == pytest.approx((classes == expected).mean())
    assert found.steps[-1].agreement > 0.9


def test_evaluation_of_a_streaming_model(tmp_path) -> None:
    model = mlp("Tanh")
    path, x = save(model, tmp_path / "m.onnx"), samples(model, 20)
    figures = []
    for streaming in (False, True):
        convert(path, x, streaming=streaming, neuron="sigma-delta", method="percentile", correction="none").save(
            tmp_path / "m.snn.onnx"
        )
        figures.append(evaluate(SpikingModel(tmp_path / "m.snn.onnx"), Samples({"x": x}, np.zeros(20, int)), [2, 9]))
    assert figures[0].summary() == figures[1].summary()


def test_numbers_that_say_less_than_they_seem_to_have_a_note(tmp_path) -> None:
    """Labels that begin at 1; outputs that are 0 / 0 until a spike comes."""
    model = text_model(
        """m (float[N,6] x) => (float[N,4] y) <float[6,24] W, float[24,4] V> {
          h = MatMul(x, W)  a = Relu(h)  k = MatMul(a, V)  n = ReduceL2<axes = [1], keepdims = 1>(k)  y = Div(k, n) }"""
    )
    path = save(model, tmp_path / "m.onnx")
    x = samples(model)
    convert(path, x, code="rate", neuron="if", method="percentile", correction="none").save(tmp_path / "m.snn.onnx")
    spiking, ann = SpikingModel(tmp_path / "m.snn.onnx"), load_ann(path)
    labels = np.arange(len(x)) % 4
    found = evaluate(spiking, Samples({"x": 1e-3 * x}, labels + 1), [1, 2], against=ann)
    assert [np.isnan(step.relative_error) for step in found.steps] == [True, True]
    assert found.steps[0].agreement < 0.5  # what is no number agrees with nothing
    assert [note.split(":")[0] for note in found.notes] == [
        "the labels `y` run from 1 to 4, the model's classes from 0 to 3; they seem to begin at 1",
        "after 1, 2 steps, outputs are not numbers where the trained model's are",
    ]
    assert evaluate(spiking, Samples({"x": x}, labels), [200], against=ann).notes == []


def test_shards_add_up_to_the_same_bits(tmp_path, monkeypatch) -> None:
    """Whatever order they are done in; and the sums are those of all samples together."""

    class Backwards(LocalEngine):
        def map(self, start, items):
            return iter(list(super().map(start, items))[::-1])

    path = save(mlp(), tmp_path / "m.onnx")
    convert(path, samples(mlp()), code="rate", neuron="if", n_steps=6).save(tmp_path / "m.snn.onnx")
    spiking, ann = SpikingModel(tmp_path / "m.snn.onnx"), load_ann(path)
    x, y = samples(mlp(), 300), np.arange(300) % 4
    np.savez(tmp_path / "x.npz", x=x, y=y)
    monkeypatch.setattr("converter.io.shards.PIECE", 128)
    data = find(tmp_path / "x.npz")
    assert len(data.shards) == 3
    seen = []
    here, there = (
        evaluate_data(
            spiking,
            data,
            [2, 6],
            inputs=spiking.inputs,
            engine=engine,
            against=ann,
            progress=lambda done, of: seen.append((done, of)),
        )
        for engine in (LocalEngine(), Backwards())
    )
    assert here.summary() == there.summary()
    assert seen[-1] == (300, 300)
    whole = evaluate(spiking, Samples({"x": x}, y), [2, 6], against=ann)
    assert (here.samples, here.ann_accuracy, here.spike_rates) == (300, whole.ann_accuracy, whole.spike_rates)
    for mine, theirs in zip(here.steps, whole.steps, strict=True):
        assert (mine.accuracy, mine.agreement) == (theirs.accuracy, theirs.agreement)
        assert mine.relative_error == pytest.approx(theirs.relative_error, rel=1e-12)
    for name, spikes in whole.spikes.items():
        np.testing.assert_array_equal(here.spikes[name], spikes)
