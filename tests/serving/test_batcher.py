from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from converter.serving.batcher import Batcher, QueueFullError, StoppedError


class Model:
    """Twice its input; a batch that begins waits until it may go on. A negative number cannot be run."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began = threading.Event()
        self.batches: list[tuple[int, list[float]]] = []

    def __call__(self, feed, n_steps: int, check: Callable[[], None]) -> list[np.ndarray]:
        self.began.set()
        assert self.gate.wait(10)
        check()
        self.batches.append((n_steps, feed["x"][:, 0].tolist()))
        if (feed["x"] < 0).any():
            raise ValueError("negative")
        return [feed["x"] * 2, feed["x"].sum(axis=1)]


def x(*numbers: float, width: int = 1) -> dict[str, np.ndarray]:
    return {"x": np.repeat(np.float32(numbers)[:, None], width, axis=1)}


def run(test: Callable[[Model, Batcher], object], **options: int) -> Model:
    """A test while the only thread is busy with a first job."""
    model = Model()
    batcher = Batcher(model, **{"batch": 4, "queue": 6, **options})

    async def whole() -> None:
        first = asyncio.ensure_future(batcher.run(x(0), 1))
        await asyncio.to_thread(model.began.wait)
        await test(model, batcher)
        model.gate.set()
        await first

    try:
        asyncio.run(whole())
    finally:
        model.gate.set()
        batcher.stop()
    return model


def later(*jobs: object) -> list[asyncio.Future[object]]:
    return [asyncio.ensure_future(job) for job in jobs]


def test_who_waits_runs_together_and_gets_their_own() -> None:
    async def test(model, batcher) -> None:
        jobs = later(*(batcher.run(x(*numbers), 1) for numbers in ([1], [2, 3], [4, 5], [6])))
        await asyncio.sleep(0)
        model.gate.set()
        for job, numbers in zip(jobs, ([1], [2, 3], [4, 5], [6]), strict=True):
            doubled, total = await job
            assert doubled[:, 0].tolist() == [2 * number for number in numbers]
            assert total.tolist() == numbers

    assert run(test).batches == [(1, [0]), (1, [1, 2, 3, 6]), (1, [4, 5])]


def test_only_what_fits_together_does() -> None:
    """Other steps, other shapes, calls of their own, and a job larger than a batch."""
    called = []

    async def test(model, batcher) -> None:
        jobs = later(
            batcher.run(x(1), 1),
            batcher.run(x(2), 9),
            batcher.run(x(3, width=2), 1),
            batcher.call(lambda: called.append(len(model.batches))),
            batcher.run(x(4), 1),
            batcher.run(x(5, 6, 7, 8, 9), 1),
        )
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(*jobs)

    assert run(test).batches == [(1, [0]), (1, [1, 4]), (9, [2]), (1, [3]), (1, [5, 6, 7, 8, 9])]
    assert called == [4]


def test_one_that_fails_spoils_no_other() -> None:
    async def test(model, batcher) -> None:
        good, bad = later(batcher.run(x(1), 1), batcher.run(x(-1), 1))
        await asyncio.sleep(0)
        model.gate.set()
        assert (await good)[0].tolist() == [[2]]
        with pytest.raises(ValueError, match="negative"):
            await bad

    assert run(test).batches == [(1, [0]), (1, [1, -1]), (1, [1]), (1, [-1])]


def test_the_queue_has_an_end() -> None:
    async def test(model, batcher) -> None:
        jobs = later(*(batcher.run(x(number), 1) for number in range(6)))
        await asyncio.sleep(0)
        assert batcher.is_full
        assert batcher.waiting == 6
        with pytest.raises(QueueFullError):
            await batcher.run(x(7), 1)
        call = later(batcher.call(lambda: 7))
        model.gate.set()
        assert await call[0] == 7
        await asyncio.gather(*jobs)
        assert not batcher.is_full
        await batcher.run(x(8), 1)

    run(test)


def test_nobody_runs_what_nobody_waits_for() -> None:
    async def test(model, batcher) -> None:
        gone, stays = later(batcher.run(x(1), 1), batcher.run(x(2), 1))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        await stays

    assert run(test).batches == [(1, [0]), (1, [2])]


def test_work_that_was_begun_ends_when_nobody_waits_any_more() -> None:
    model = Model()
    batcher = Batcher(model, batch=4, queue=4)

    async def test() -> None:
        first = asyncio.ensure_future(batcher.run(x(0), 1))
        await asyncio.to_thread(model.began.wait)
        first.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        assert (await batcher.run(x(1), 1))[0].tolist() == [[2]]

    asyncio.run(test())
    batcher.stop()
    assert model.batches == [(1, [1])]


def test_stopping_answers_what_waits() -> None:
    async def test(model, batcher) -> None:
        jobs = later(*(batcher.run(x(number), number) for number in (1, 2, 3)))
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(asyncio.to_thread(batcher.stop))
        await asyncio.sleep(0.01)
        with pytest.raises(StoppedError):
            await batcher.run(x(4), 1)
        model.gate.set()
        assert [len(await job) for job in jobs] == [2, 2, 2]
        await stopping

    run(test)


def test_an_output_without_a_row_for_each_sample() -> None:
    """Its jobs are run alone."""
    batcher = Batcher(lambda feed, n_steps, check: [feed["x"].sum(axis=0)], batch=4, queue=9)

    async def test() -> None:
        answers = await asyncio.gather(*(batcher.run(x(number), 1) for number in range(5)))
        assert [answer[0].tolist() for answer in answers] == [[0], [1], [2], [3], [4]]

    asyncio.run(test())
    batcher.stop()


def test_several_threads_lose_nothing() -> None:
    batcher = Batcher(lambda feed, n_steps, check: [feed["x"] + n_steps], batch=3, threads=4, queue=1000)

    async def test() -> None:
        answers = await asyncio.gather(*(batcher.run(x(number), number % 3 + 1) for number in range(500)))
        assert [answer[0].item() for answer in answers] == [number + number % 3 + 1 for number in range(500)]

    asyncio.run(test())
    batcher.stop()
