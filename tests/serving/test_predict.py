"""Predictions of shards: every sample once, as a session gives it, whatever interrupts the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converter.conversion.main import convert
from converter.engine.local import LocalEngine
from converter.errors import RefusedError
from converter.io.shards import find
from converter.spiking.model import SpikingModel
from tests.models import mlp, samples, save

pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
from converter.serving.predict import MANIFEST, file_of, first_sample, predict  # noqa: E402 # it needs pyarrow

X = samples(mlp(), 50, seed=3)
Y = np.arange(50) % 4


@pytest.fixture(scope="module")
def spiking(tmp_path_factory) -> SpikingModel:
    folder = tmp_path_factory.mktemp("model")
    convert(save(mlp(), folder / "m.onnx"), samples(mlp()), code="rate", neuron="if", n_steps=6).save(
        folder / "m.snn.onnx"
    )
    return SpikingModel(folder / "m.snn.onnx")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Five shards of ten samples."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    for i in range(5):
        np.savez(f"d/{i}.npz", x=X[10 * i : 10 * i + 10], y=Y[10 * i : 10 * i + 10])
    return tmp_path / "d"


class Counting(LocalEngine):
    """Counts the shards that are worked on, and is killed before the one after `most`."""

    def __init__(self, most: int = 99) -> None:
        self.done, self.most = 0, most

    def map(self, start, items):
        def stopping():
            work = start()

            def call(item):
                if self.done == self.most:
                    raise KeyboardInterrupt
                self.done += 1
                return work(item)

            return call

        return super().map(stopping, items)


def run(spiking, out="out", data="d", **options):
    return predict(spiking, find(data), out, **{"engine": LocalEngine(), **options})


def table(out="out"):
    return pq.read_table(out).sort_by("key")


def manifest(out="out"):
    return json.loads(Path(out, MANIFEST).read_text())


def test_every_sample_once_as_a_session_gives_it(spiking, data) -> None:
    seen = []
    found = run(spiking, progress=lambda what, done, of: seen.append((done, of)))
    rows = table()
    assert rows["key"].to_pylist() == sorted(f"{i}.npz#{j}" for i in range(5) for j in range(10))
    session = spiking.session()
    (expected,), recording = session.run(X, record=["first", "second"])
    np.testing.assert_array_equal(np.asarray(rows["y"].to_pylist(), np.float32), expected)
    np.testing.assert_array_equal(rows["class"], expected.argmax(axis=1))
    np.testing.assert_array_equal(rows["label"], Y)
    counts = sum((recording[name] != 0).sum(axis=(0, 2)) for name in ("first", "second"))  # at most one in a step
    np.testing.assert_array_equal(rows["spikes"], counts)
    assert set(rows["n_steps"].to_pylist()) == {6}
    assert manifest()["complete"]
    assert manifest()["samples"] == found.samples == 50
    assert found.summary()["accuracy"] == pytest.approx(float((expected.argmax(axis=1) == Y).mean()))
    assert found.summary()["spikes_per_sample"] == pytest.approx(counts.mean())
    assert seen[-1] == (50, 50)


@pytest.mark.parametrize("killed_after", [0, 1, 4])
def test_a_run_goes_on_where_it_was(spiking, data, killed_after) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(spiking, engine=Counting(killed_after))
    assert not manifest()["complete"]
    again = Counting()
    found = run(spiking, engine=again)
    assert again.done == 5 - killed_after
    assert (found.samples, found.done_now) == (50, 10 * (5 - killed_after))
    run(spiking, out="whole")
    assert table().equals(table("whole"))
    np.savez("d/9.npz", x=X[:3])
    third = Counting()
    assert run(spiking, engine=third).samples == 53, "data may grow"
    assert third.done == 1


def test_a_part_first_and_then_all(spiking, data) -> None:
    assert predict(spiking, find("d").first(13), "out", engine=LocalEngine()).samples == 13
    again = Counting()
    assert run(spiking, engine=again).samples == 50
    assert again.done == 4
    run(spiking, out="whole")
    assert table().equals(table("whole"))


def test_what_cannot_be_predicted_is_named_and_the_rest_goes_on(spiking, data) -> None:
    bad = X[10:20].copy()
    bad[[3, 4, 7], 0] = np.nan
    np.savez("d/1.npz", x=bad)
    (data / "2.npz").write_bytes((data / "2.npz").read_bytes()[:300])
    np.savez("d/3.npz", x=X[:4, :5])
    found = run(spiking)
    assert found.samples == 27
    assert [(entry["first"], entry["samples"]) for entry in manifest()["odd"]] == [
        ("1.npz#3", 2),
        ("1.npz#7", 1),
        ("3.npz#0", 4),
    ]
    assert "NaN" in manifest()["odd"][0]["reason"]
    assert "[4, 5]" in manifest()["odd"][2]["reason"] or "[1, 5]" in manifest()["odd"][2]["reason"]
    assert [entry["shard"] for entry in manifest()["unreadable"]] == ["2.npz"]
    np.savez("d/2.npz", x=X[20:30])
    again = Counting()
    assert run(spiking, engine=again).samples == 37, "a shard that was repaired is predicted"
    assert again.done == 1
    with pytest.raises(RefusedError, match=r"1\.npz#3: `x` holds NaN"):
        run(spiking, out="strict", strict=True)
    assert not list((data.parent / "strict").glob("*1.npz*"))


def test_a_python_function_goes_on_too(spiking, data, monkeypatch) -> None:
    (data.parent / "some_batches.py").write_text(
        "import numpy as np\ndef read():\n for i in range(5): yield dict(np.load(f'd/{i}.npz'))\n"
    )
    with pytest.raises(KeyboardInterrupt):
        run(spiking, data="some_batches:read", engine=Counting(2))
    assert run(spiking, data="some_batches:read").samples == 50
    run(spiking, out="whole")
    np.testing.assert_array_equal(np.sort(table()["spikes"]), np.sort(table("whole")["spikes"]))


def test_what_is_refused(spiking, data) -> None:
    run(spiking)
    for options, reason in (
        ({"n_steps": 3}, "are of 6 time steps; --steps 6 goes on"),
        ({"spikes": False}, "have other columns"),
        ({"data": "e"}, "predictions of other data, such as 1.npz"),
        ({"out": "d/out"}, "lies inside the data"),
        ({"out": "m"}, r"not empty and holds no predictions \(it has notes\)"),
        ({"out": "file"}, "this is a file"),
        ({"out": "absent/out"}, "does not exist"),
    ):
        (data.parent / "m").mkdir(exist_ok=True)
        (data.parent / "m" / "notes").touch()
        (data.parent / "file").touch()
        (data.parent / "e").mkdir(exist_ok=True)
        np.savez("e/0.npz", x=X[:10], y=Y[:10])
        with pytest.raises(RefusedError, match=reason):
            run(spiking, **options)
    np.savez("d/0.npz", x=X[:10])
    with pytest.raises(RefusedError, match=r"0\.npz was changed since"):
        run(spiking)


def test_nothing_to_predict(spiking, data) -> None:
    for i in range(5):
        np.savez(f"d/{i}.npz", x=X[:3, :5])
    with pytest.raises(RefusedError, match=r"no sample was found that the model takes; 4\.npz#0: `x` has the shape"):
        run(spiking)


def test_another_model_and_a_second_run_are_refused(spiking, data, tmp_path) -> None:
    run(spiking)
    other = SpikingModel(spiking.path)
    other.path = tmp_path / "other.snn.onnx"
    other.path.write_bytes(spiking.path.read_bytes() + b"\x1a\x00")
    with pytest.raises(RefusedError, match=r"are of another model, m\.snn\.onnx"):
        run(other)

    class Twice(LocalEngine):
        def map(self, start, items):
            with pytest.raises(RefusedError, match="another run is writing"):
                run(spiking, out="second")
            return super().map(start, items)

    run(spiking, out="second", engine=Twice())


def test_names_follow_from_the_shard(data) -> None:
    shards = find("d").shards
    names = [file_of(shard) for shard in shards]
    assert len(set(names)) == 5
    assert names[0].startswith("0.npz-000000000-")
    assert names == [file_of(shard) for shard in find(data).shards]
    odd = replace(shards[0], name="../\u00fc a/b.npz")
    assert "/" not in file_of(odd)
    assert file_of(odd).isascii()


def test_random_neurons_draw_by_shard_and_place(data) -> None:
    one, other = find("d").shards[:2]
    at = first_sample(one, ["0.npz#0"])
    assert first_sample(one, ["0.npz#7"]) == at + 7
    assert abs(first_sample(other, ["1.npz#0"]) - at) >= 1 << 24
