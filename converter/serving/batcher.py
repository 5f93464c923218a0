"""Requests that wait, brought together: a thread runs as many at once as it takes to use the model well.

Nothing waits for others to come: whoever comes while a thread is free is run at once, and what came while all were busy is run
together. So an idle service answers as fast as it can, and a busy one grows its batches by itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

Feed = Mapping[str, np.ndarray]
RunBatch = Callable[[Feed, int, Callable[[], None]], list[np.ndarray]]
"""Runs samples for so many steps; between parts of its work it calls the function, which raises `AbandonedError`."""
Observe = Callable[[Feed, int, float, Sequence[float]], None]
"""Is told of a batch: its samples, steps, the seconds that it took, and how long each request in it had waited."""

After = Callable[[Feed, int], None]
"""Is called with a batch and its steps when the answers are on their way."""

log = logging.getLogger(__name__)


class QueueFullError(Exception):
    """As many requests wait as may."""


class StoppedError(Exception):
    """The service ends and takes no more requests."""


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(eq=False)
class Job:
    """Work for a thread.

    Attributes:
        loop: that `future` belongs to.
        future: gets the result.
        call: what to do alone; None: the samples of `feed` run together with those of others.
        feed: samples, by input name.
        n_steps: to run them for.
        since: when it came.
        key: jobs with the same one may run together.
        after: is called when the result of `call` is on its way.
    """

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    call: Callable[[], Any] | None = None
    feed: Feed = field(default_factory=dict)
    n_steps: int = 1
    since: float = field(default_factory=time.monotonic)
    key: tuple[object, ...] = ()
    after: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.key = (self.n_steps, *((name, array.dtype, array.shape[1:]) for name, array in self.feed.items()))

    @property
    def samples(self) -> int:
        """Their number."""
        return len(next(iter(self.feed.values()))) if self.feed else 0

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for it."""
        return self.future.done()


class Batcher:
    """A queue of jobs, and threads that do them. Jobs come from event loops; the results go back to them.

    Args:
        run: runs a batch; several threads may call it at once.
        batch: samples that are run together at most; a job of its own may have more.
        threads: that run.
        queue: jobs that may wait.
        observe: is told of each batch.
        after: what else a thread does with a batch; nobody waits for it.
    """

    def __init__(
        self,
        run: RunBatch,
        *,
        batch: int,
        threads: int = 1,
        queue: int,
        observe: Observe = lambda *_: None,
        after: After = lambda *_: None,
    ) -> None:
        self._run, self._batch, self._most_waiting = run, batch, queue
        self._observe, self._after = observe, after
        self._jobs: deque[Job] = deque()
        self._ready = threading.Condition()
        self._idle, self._stopping, self._bounded = 0, False, 0
        self._threads = [threading.Thread(target=self._work, name=f"onnx-snn-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._jobs)

    @property
    def is_full(self) -> bool:
        """Whether the next request would be refused."""
        return self._bounded >= self._most_waiting

    async def run(self, feed: Feed, n_steps: int) -> list[np.ndarray]:
        """The model's outputs for these samples.

        Raises:
            QueueFullError: too many wait.
            StoppedError: `stop` was called.
            Whatever running them raises.
        """
        loop = asyncio.get_running_loop()
        result: list[np.ndarray] = await self._submit(Job(loop, loop.create_future(), feed=feed, n_steps=n_steps))
        return result

    async def call(self, function: Callable[[], Any], after: Callable[[], None] | None = None) -> Any:
        """What a function gives that a thread runs alone. It waits in the same queue, whose bound does not count it.

        Args:
            function: to run.
            after: what the thread does when the result is on its way.

        Raises:
            StoppedError: `stop` was called.
            Whatever the function raises.
        """
        loop = asyncio.get_running_loop()
        return await self._submit(Job(loop, loop.create_future(), call=function, after=after))

    def _submit(self, job: Job) -> asyncio.Future[Any]:
        with self._ready:
            if self._stopping:
                raise StoppedError
            if job.call is None:
                if self.is_full:
                    raise QueueFullError
                self._bounded += 1
            self._jobs.append(job)
            if self._idle:
                self._ready.notify()
        return job.future

    def stop(self) -> None:
        """Does what waits, and takes no more."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._jobs and not self._stopping:
                    self._idle += 1
                    self._ready.wait()
                    self._idle -= 1
                if not self._jobs:
                    return
                jobs = self._take()
            after: list[Callable[[], None]] = []
            if jobs:
                _deliver(self._done(jobs, after))
            for each in after:
                try:
                    each()
                except Exception:
                    log.exception("what follows a batch failed")

    def _take(self) -> list[Job]:
        """The first job that somebody waits for, and those of its kind that still fit into the batch."""
        first = self._next()
        if first is None:
            return []
        taken, room, passed = [first], self._batch - first.samples, []
        if first.call is None and room > 0:
            while room > 0 and (job := self._next()) is not None:
                if job.call is None and job.key == first.key and job.samples <= room:
                    taken.append(job)
                    room -= job.samples
                else:
                    passed.append(job)
                    self._bounded += job.call is None
        self._jobs.extendleft(reversed(passed))
        return taken

    def _next(self) -> Job | None:
        while self._jobs:
            job = self._jobs.popleft()
            self._bounded -= job.call is None
            if not job.is_abandoned:
                return job
        return None

    def _done(
        self, jobs: Sequence[Job], after: list[Callable[[], None]]
    ) -> list[tuple[Job, Any, BaseException | None]]:
        """The jobs with their results, and what to do after it. One that cannot be run spoils no other's."""
        try:
            if jobs[0].call is not None:
                result = jobs[0].call()
                after += [jobs[0].after] if jobs[0].after is not None else []
                return [(jobs[0], result, None)]
            results = self._run_together(jobs, after)
            return [(job, result, None) for job, result in zip(jobs, results, strict=True)]
        except AbandonedError:
            return []
        except Exception as error:
            if len(jobs) > 1:
                log.warning("a batch of %d requests failed, each is run alone: %s", len(jobs), error)
                return [done for job in jobs for done in self._done([job], after)]
            return [(jobs[0], None, error)]

    def _run_together(self, jobs: Sequence[Job], after: list[Callable[[], None]]) -> list[list[np.ndarray]]:
        begin = time.monotonic()
        counts = [job.samples for job in jobs]
        feed = jobs[0].feed
        if len(jobs) > 1:
            feed = {name: np.concatenate([job.feed[name] for job in jobs]) for name in feed}

        def check() -> None:
            if all(job.is_abandoned for job in jobs):
                raise AbandonedError

        outputs = self._run(feed, jobs[0].n_steps, check)
        self._observe(feed, jobs[0].n_steps, time.monotonic() - begin, [begin - job.since for job in jobs])
        after.append(partial(self._after, feed, jobs[0].n_steps))
        if len(jobs) == 1:
            return [outputs]
        if any(array.ndim == 0 or len(array) != sum(counts) for array in outputs):
            raise RuntimeError("an output does not have a row for each sample")
        ends = np.cumsum(counts)
        return [[array[end - count : end] for array in outputs] for count, end in zip(counts, ends, strict=True)]


def _deliver(done: Sequence[tuple[Job, Any, BaseException | None]]) -> None:
    """Gives the results to those who wait, one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Any, BaseException | None]]] = {}
    for each in done:
        by_loop.setdefault(each[0].loop, []).append(each)
    for loop, of_loop in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, of_loop)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            log.debug("nobody waits for %d answers any more", len(of_loop))


def _settle(done: Sequence[tuple[Job, Any, BaseException | None]]) -> None:
    for job, result, error in done:
        if job.future.done():
            continue
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
