from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from converter.serving.capacity import Capacity, measure


class Clock:
    """A machine on which a call of b samples takes ``cost(b)`` seconds."""

    def __init__(self, cost: Callable[[int], float]) -> None:
        self.now, self.cost, self.sizes = 0.0, cost, []

    def __call__(self) -> float:
        return self.now

    def run(self, feed) -> list[np.ndarray]:
        self.now += self.cost(len(feed["x"]))
        self.sizes.append(len(feed["x"]))
        return [feed["x"] * 2]


def measured(cost: Callable[[int], float], most: int = 64) -> tuple[Capacity, Clock]:
    clock = Clock(cost)
    return measure(clock.run, {"x": np.arange(most, dtype=np.float32)[:, None]}, clock=clock), clock


@pytest.mark.parametrize(
    ("cost", "batch"),
    [
        (lambda b: 0.01 + 0.0001 * b, 64),  # a call is dear
        (lambda b: 0.001 * b, 1),  # nothing to gain
        (lambda b: 0.001 + 0.001 * b, 16),  # 95 % of the best
        (lambda b: 0.001 * b + (0.004 if b <= 8 else 0.02 * b), 8),  # beyond the cache
    ],
)
def test_the_smallest_that_is_about_as_fast_as_any(cost, batch) -> None:
    found, _ = measured(cost)
    assert found.batch == batch
    assert found.per_second[1] == pytest.approx(1 / cost(1))
    assert bool(found.reason) == (batch == 1)


def test_what_is_slow_is_not_measured_long() -> None:
    _, clock = measured(lambda b: 3.0 * b)
    assert max(clock.sizes) <= 3
    assert clock.now <= 24


def test_answers_that_depend_on_their_neighbours_are_not_batched() -> None:
    def mean(feed) -> list[np.ndarray]:
        return [feed["x"] + feed["x"].mean()]

    def apart(feed) -> list[np.ndarray]:
        return [feed["x"].sum(axis=0)]

    def reason(run, **options: bool) -> str:
        ticks = iter(range(10**6))
        found = measure(run, {"x": np.arange(4, dtype=np.float32)[:, None]}, clock=lambda: next(ticks), **options)
        assert (found.batch == 1) == bool(found.reason)
        return found.reason

    assert "other bits" in reason(mean)
    assert reason(mean, exact=False) == ""
    assert "row for each sample" in reason(apart)


def test_in_words() -> None:
    assert str(Capacity(4, {1: 100.0, 4: 250.0})) == "batches of up to 4 samples, 250 samples/s; one by one 100"
    assert str(Capacity(1, {1: 100.0}, "why")) == "requests run one by one, 100 samples/s: why"
    assert str(Capacity(8, {}, "as asked for")) == "batches of up to 8: as asked for"
