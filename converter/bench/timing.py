"""Times that can be compared: warmed up until steady, and interleaved, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from converter.io.progress import Progress, silent

K = TypeVar("K")
Turn = Callable[[float], Sequence[float]]
"""Runs something again and again for about so many seconds, once at least; gives the seconds that each run took."""

SECONDS = 1.0
"""To measure each for."""
ROUNDS = 10
"""In which all take turns."""
LEAST_RUNS = 3
"""Of each, however long they take."""
_WARM_UP_TURN = 0.1
_WARM_UP_LIMIT = 3.0
"""Seconds: whatever is not steady by then is measured as it is."""
_STEADY = 0.05
"""A turn that is not faster than the fastest before it by this share is steady."""


@dataclass(frozen=True)
class Summary:
    """Seconds that a run took.

    Attributes:
        runs: how many were measured.
        p10, p50, p90, p99: percentiles, between two runs in proportion. Of fewer than 100 runs, the 99th is about the slowest.
    """

    runs: int
    p10: float
    p50: float
    p90: float
    p99: float

    @property
    def median(self) -> float:
        """The 50th percentile."""
        return self.p50

    @staticmethod
    def of(seconds: Sequence[float]) -> Summary:
        """From the seconds of each run, at least one."""
        p10, p50, p90, p99 = (float(value) for value in np.percentile(seconds, (10, 50, 90, 99)))
        return Summary(len(seconds), p10, p50, p90, p99)


def turn_of(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Turn:
    """Turns of a function in this process.

    The first of several runs in a turn is not counted: it finds the caches, and the threads that still wait actively, of
    whatever had its turn before.
    """

    def turn(seconds: float) -> Sequence[float]:
        times: list[float] = []
        begin = start = clock()
        while True:
            call()
            end = clock()
            times.append(end - start)
            if end - begin >= seconds:
                return times[1:] or times
            start = end

    return turn


def warm_up(turn: Turn) -> int:
    """Takes turns until they no longer become faster, or for some seconds; gives the number of turns."""
    best, spent, turns = float("inf"), 0.0, 0
    while spent < _WARM_UP_LIMIT:
        times = turn(_WARM_UP_TURN)
        median = float(np.median(times))
        turns, spent = turns + 1, spent + sum(times)
        if median >= (1 - _STEADY) * best:
            break
        best = median
    return turns


def measure(
    turns: Mapping[K, Turn],
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    progress: Progress = silent,
) -> dict[K, Summary]:
    """Warms all up, then lets all take turns in rounds, forwards and backwards.

    Args:
        turns: what to measure, by name.
        seconds: to measure each for. One whose single run takes longer than a turn has had enough when that time is over and
            it has `LEAST_RUNS` runs.
        rounds: how many turns each has at most.
        progress: called as "measuring" with the turns done, one more for each that is warm.
    """
    names = list(turns)
    times: dict[K, list[float]] = {name: [] for name in names}
    done, of = 0, len(names) * (rounds + 1)
    for name in names:
        warm_up(turns[name])
        done += 1
        progress("measuring", done, of)
    for index in range(rounds):
        for name in names if index % 2 == 0 else reversed(names):
            if sum(times[name]) < seconds or len(times[name]) < LEAST_RUNS:
                times[name] += turns[name](seconds / rounds)
            done += 1
            progress("measuring", done, of)
    return {name: Summary.of(times[name]) for name in names}
