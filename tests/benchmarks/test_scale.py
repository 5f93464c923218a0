"""The script behind docs/scale.md, on less data: processes are killed, every sample stands once; memory stays flat."""

from __future__ import annotations

import pytest

from benchmarks.scale import keys_once, kills, make, memory, same
from converter.conversion.main import convert
from converter.engine.local import LocalEngine
from converter.io.samples import load_samples
from converter.io.shards import find
from converter.measure.evaluation import evaluate_data
from converter.normalise.ann import load_ann
from converter.spiking.model import SpikingModel

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.slow


def test_drivers_are_killed_in_a_local_run_and_workers_on_ray(tmp_path) -> None:
    pytest.importorskip("ray")
    found = kills(tmp_path, 3000, 12, drivers=3, actors=3)
    assert found["drivers killed"] == 3
    assert found["actors killed"] > 0
    assert found["Ray's processes left two minutes after its driver was killed"] == []
    for name, result in found.items():
        if name.startswith("after"):
            assert all(result.values()), (name, result)


def test_ray_gives_the_same(tmp_path) -> None:
    pytest.importorskip("ray")
    found = same(tmp_path, 1000, 5)
    assert found["identical"]
    assert found["every key once"]


def test_evaluation_and_ranges_are_the_same_bits(tmp_path, monkeypatch) -> None:
    ray = pytest.importorskip("ray")
    from converter.engine.ray import RayEngine  # noqa: PLC0415

    make(tmp_path, 300, 5)
    spiking, ann = SpikingModel(tmp_path / "m.snn.onnx"), load_ann(tmp_path / "m.onnx")
    engine = RayEngine()
    place = {"inputs": spiking.inputs, "against": ann}
    found = [
        evaluate_data(spiking, find(tmp_path / "d"), [2, 4], engine=where, threads=threads, **place).summary()
        for where, threads in ((LocalEngine(), None), (engine, 1))
    ]
    assert found[0] == found[1]
    assert found[0]["steps"][0]["relative_error"] > 0
    x = load_samples(tmp_path / "d", ann.input_specs)
    files = [
        convert(tmp_path / "m.onnx", x, code="rate", neuron="if", n_steps=4, engine=where).proto().SerializeToString()
        for where in (None, engine)
    ]
    assert files[0] == files[1]
    ray.shutdown()


def test_memory_is_flat(tmp_path) -> None:
    small, large = memory(tmp_path, 3000, 4)["peak MiB"]
    assert large < 1.1 * small


def test_what_is_missing_is_noticed(tmp_path) -> None:
    """The comparison itself can fail."""
    pq = pytest.importorskip("pyarrow.parquet")
    make(tmp_path, 20, 2)
    (tmp_path / "out").mkdir()
    import pyarrow as pa  # noqa: PLC0415

    for keys, right in ((["a", "b"], True), (["a", "a"], False), (["a"], False)):
        pq.write_table(pa.table({"key": keys}), tmp_path / "out" / "a.parquet")
        assert keys_once(tmp_path, "out", 2) is right
