"""The same function over the same items on Ray: the same results; refusals come through; dead workers are replaced."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from converter.engine.local import LocalEngine
from converter.errors import RefusedError

ray = pytest.importorskip("ray")
from converter.engine.ray import RayEngine  # noqa: E402 # it needs Ray

pytestmark = pytest.mark.slow


class Squares:
    """Squares; refuses 13; dies once at 7 if `dies` names a file that is not there yet."""

    def __init__(self, dies: Path | None = None) -> None:
        self.dies = dies

    def __call__(self):
        return self.work

    def work(self, item: int) -> int:
        if item == 13:
            raise RefusedError("no thirteen", file="here")
        if item == 7 and self.dies is not None and not self.dies.exists():
            self.dies.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item


@pytest.fixture(scope="module")
def engine():
    yield RayEngine()
    ray.shutdown()


def test_the_same_as_local(engine) -> None:
    assert sorted(engine.map(Squares(), range(12))) == list(LocalEngine().map(Squares(), range(12)))
    assert list(engine.map(Squares(), [])) == []


def test_a_refusal_comes_through(engine) -> None:
    with pytest.raises(RefusedError, match="here: no thirteen"):
        list(engine.map(Squares(), [1, 13]))


def test_a_dead_worker_is_replaced(engine, tmp_path) -> None:
    assert sorted(engine.map(Squares(tmp_path / "died"), range(10))) == [(i, i * i) for i in range(10)]
    assert (tmp_path / "died").exists()


def test_more_than_there_is(engine) -> None:
    with pytest.raises(RefusedError, match="no worker with 1000 CPUs"):
        list(RayEngine(cpus=1000).map(Squares(), [1]))


def test_nobody_there() -> None:
    ray.shutdown()
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "what ever"):
        with pytest.raises(RefusedError, match=f"no Ray cluster at {address}: "):
            RayEngine(address)
