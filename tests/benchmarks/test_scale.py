"""The script behind docs/scale.md, on less data: processes are killed, every sample stands once; memory stays flat."""

from __future__ import annotations

import pytest

from benchmarks.scale import keys_once, kills, make, memory, same

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.slow


def test_drivers_are_killed_in_a_local_run_and_workers_on_ray(tmp_path) -> None:
    pytest.importorskip("ray")
    found = kills(tmp_path, 3000, 12, drivers=3, actors=3)
    assert found["drivers killed"] == 3
    assert found["actors killed"] > 0
    assert found["Ray's processes left two minutes after its driver was killed"] == 0
    for name, result in found.items():
        if name.startswith("after"):
            assert all(result.values()), (name, result)


def test_ray_gives_the_same(tmp_path) -> None:
    pytest.importorskip("ray")
    found = same(tmp_path, 1000, 5)
    assert found["identical"]
    assert found["every key once"]


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
