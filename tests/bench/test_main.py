"""The whole benchmark on small models: every row is there, outputs come first, and what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter import convert
from converter.bench.main import benchmark
from converter.bench.runs import SPIKING, STREAM, TRAINED
from converter.errors import RefusedError
from converter.io.samples import InputSpec, Samples, random_samples
from converter.measure.evaluation import evaluate
from converter.normalise.ann import load_ann
from converter.spiking.model import SpikingModel
from tests.models import convert_model, convnet, mlp, samples, save, text_model


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Each is run a few times, and in one process; how long it takes is not the question here."""
    monkeypatch.setattr("converter.bench.main.PROCESSES", 1)
    monkeypatch.setattr("converter.bench.timing.warm_up", lambda turn: turn(0))
    monkeypatch.setattr("converter.bench.profile.warm_up", lambda turn: turn(0))
    monkeypatch.setattr("converter.bench.profile._SECONDS", 0.0)
    monkeypatch.setattr("converter.bench.rates._RUNS", 2)


def converted(model: onnx.ModelProto, folder: Path, **options) -> SpikingModel:
    convert_model(model, folder, **options)
    return SpikingModel(folder / "m.snn.onnx")


def test_rows_and_outputs(tmp_path: Path) -> None:
    spiking, ann = converted(mlp(), tmp_path), load_ann(tmp_path / "m.onnx")
    x = samples(mlp(), 40, seed=5)
    given = Samples({"x": x}, np.arange(40) % 4)
    notes: set[str] = set()
    found = benchmark(
        spiking,
        given,
        against=ann,
        batches=[1, 64],
        steps=[2, 8],
        threads=[1],
        seconds=0.02,
        progress=lambda what, done, of: notes.add(what),
    )
    rows = [(each.system, each.n_steps, each.batch, each.threads) for each in found.timings]
    assert rows == [
        *((SPIKING, n, batch, 1) for n in (2, 8) for batch in (1, 64)),
        *((TRAINED, None, batch, 1) for batch in (1, 64)),
    ]
    by_row = dict(zip(rows, found.timings, strict=True))
    for (_, _, batch, _), each in by_row.items():
        assert each.throughput == pytest.approx(batch / each.latency.median)
        trained = by_row[TRAINED, None, batch, 1]
        assert each.ratio == pytest.approx(each.latency.median / trained.latency.median)
    judge = evaluate(spiking, given, [2, 8], against=ann)
    assert found.outputs is not None
    for mine, theirs in zip(found.outputs.steps, judge.steps, strict=True):
        assert (mine.n_steps, mine.accuracy, mine.agreement) == (theirs.n_steps, theirs.accuracy, theirs.agreement)
        assert mine.relative_error == pytest.approx(theirs.relative_error, rel=1e-3)
    assert found.outputs.ann_accuracy == judge.ann_accuracy
    assert found.file_bytes == (tmp_path / "m.snn.onnx").stat().st_size
    assert found.trained_file_bytes == (tmp_path / "m.onnx").stat().st_size
    assert (found.samples, found.random, found.profiles) == (40, False, ())
    assert notes == {"comparing outputs", "measuring", "starting processes"}
    assert json.loads(json.dumps(found.summary()))["timings"][0]["latency"]["runs"] >= 3


def test_a_stream_and_profiles(tmp_path: Path) -> None:
    spiking = converted(mlp(), tmp_path, streaming=True)
    found = benchmark(spiking, batches=[2], threads=[1], profiles=True, seconds=0.02)
    assert [(each.system, each.n_steps, each.ratio) for each in found.timings] == [
        (SPIKING, spiking.n_steps, None),
        (STREAM, 1, None),
    ]
    assert found.outputs is None
    assert found.random
    assert [(each.n_steps, each.batch, each.threads) for each in found.profiles] == [(spiking.n_steps, 2, 1)]
    assert json.dumps(found.summary())


@pytest.mark.parametrize("backend", ["native", "functions", "numpy"])
def test_two_phase_and_a_fixed_batch(tmp_path: Path, backend) -> None:
    """The trained model takes one sample at once."""
    spiking, ann = converted(convnet(), tmp_path, schedule="two-phase"), load_ann(tmp_path / "m.onnx")
    assert ann.batch == 1
    found = benchmark(spiking, against=ann, batches=[3], steps=[32], backend=backend, seconds=0.02)
    assert found.schedule == "two-phase"
    assert found.outputs is not None
    assert found.outputs.steps[0].relative_error is not None and found.outputs.steps[0].relative_error < 0.2


@pytest.mark.parametrize(
    ("options", "steps", "systems"),
    [
        ({}, [2, 4], [SPIKING, SPIKING, TRAINED]),
        ({"schedule": "two-phase"}, [4], [SPIKING, TRAINED]),
        ({"streaming": True}, [4], [SPIKING, STREAM, TRAINED]),
    ],
)
def test_the_delta_code(tmp_path: Path, options, steps, systems) -> None:
    """Its outputs are close to the trained ones after few steps, and closer after more."""
    spiking, ann = converted(mlp(), tmp_path, code="delta", **options), load_ann(tmp_path / "m.onnx")
    given = Samples({"x": samples(mlp(), 40, seed=5)}, None)
    found = benchmark(spiking, given, against=ann, batches=[3], steps=steps, seconds=0.02)
    assert [each.system for each in found.timings] == systems
    assert found.outputs is not None
    errors = [each.relative_error for each in found.outputs.steps]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] is not None and errors[-1] < 0.1


def several_inputs() -> onnx.ModelProto:
    return text_model(
        """
        m (float[N,8] a, float[N,3] b) => (float[N,5] y, float[N,5] z)
        <float[8,5] W, float[3,5] V, float[5,5] U>
        {
          u = MatMul(a, W)
          v = MatMul(b, V)
          h = Add(u, v)
          [first] r = Relu(h)
          y = MatMul(r, U)
          z = Add(y, h)
        }
        """
    )


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"a": rng.random((20, 8), np.float32), "b": rng.random((20, 3), np.float32)}
    convert(save(several_inputs(), tmp_path / "m.onnx"), arrays, code="rate").save(tmp_path / "m.snn.onnx")
    spiking, ann = SpikingModel(tmp_path / "m.snn.onnx"), load_ann(tmp_path / "m.onnx")
    for given in (None, Samples(arrays, None)):
        found = benchmark(spiking, given, against=ann, batches=[4], seconds=0.02)
        assert found.outputs is not None
        assert set(found.outputs.steps[0].outputs) == {"y", "z"}


def test_random_samples() -> None:
    specs = [InputSpec("a", np.dtype(np.float32), [None, 2, 3]), InputSpec("b", np.dtype(np.bool_), [None, 50])]
    first, second = random_samples(specs, 7), random_samples(specs, 7)
    assert {name: (array.shape, array.dtype) for name, array in first.feed.items()} == {
        "a": ((7, 2, 3), np.float32),
        "b": ((7, 50), np.bool_),
    }
    for name, array in first.feed.items():
        np.testing.assert_array_equal(array, second.feed[name])
    assert 0 < first.feed["b"].mean() < 1
    assert first.feed["a"].min() >= 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            InputSpec("a", np.dtype(np.float32), [None, "length", 3]),
            "input 'a' has an axis of any length; name samples",
        ),
        (InputSpec("a", np.dtype(np.float32), [None, None]), "input 'a' has an axis of any length; name samples"),
        (
            InputSpec("ids", np.dtype(np.int64), [None, 9]),
            "input 'ids' takes int64, in a range .* name samples with --data",
        ),
    ],
)
def test_samples_that_cannot_be_guessed(spec, words) -> None:
    with pytest.raises(RefusedError, match=words):
        random_samples([spec], 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batches": [1, 0]}, "^the batch must be at least 1, it is 0$"),
        ({"batches": []}, "^the batch must be at least 1, it is missing$"),
        ({"steps": [4, -1]}, "must be at least 1, it is -1"),
        ({"threads": [2, 0]}, "^the number of threads must be at least 1, it is 0$"),
        ({"provider": "cuda"}, r"m\.snn\.onnx: .*CUDAExecutionProvider"),
        ({"provider": "cuda", "profiles": True}, "profile on the CPU"),
        ({"backend": "fast"}, "there is no backend 'fast'"),
    ],
)
def test_what_cannot_be_measured(tmp_path: Path, options, words) -> None:
    with pytest.raises(RefusedError, match=words):
        benchmark(converted(mlp(), tmp_path), **options)


def renamed(old: str, new: str) -> onnx.ModelProto:
    model = mlp()
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    return model


def five_classes() -> onnx.ModelProto:
    model = mlp()
    for index, shape in ((4, (12, 5)), (5, (5,))):
        name = model.graph.initializer[index].name
        model.graph.initializer[index].CopyFrom(onnx.numpy_helper.from_array(np.ones(shape, np.float32), name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5
    return model


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (renamed("x", "image"), r"its inputs are \['image'\], not \['x'\]"),
        (renamed("y", "scores"), r"its outputs are \['scores'\], not \['y'\]"),
        (five_classes(), r"its output 'y' has the shape \[32, 5\], not \[32, 4\]"),
    ],
)
def test_another_trained_model(tmp_path: Path, other, words) -> None:
    spiking = converted(mlp(), tmp_path)
    against = load_ann(save(other, tmp_path / "other.onnx"))
    with pytest.raises(RefusedError, match=r"other\.onnx: this is not the model that became m\.snn\.onnx: " + words):
        benchmark(spiking, against=against, batches=[32], seconds=0.02)
