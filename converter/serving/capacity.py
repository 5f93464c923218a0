"""How many samples are worth running together: measured when a service starts, on the machine that it runs on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Feed = Mapping[str, np.ndarray]
_LEAST_GAIN = 1.05
"""Batches that bring less than that are not worth it."""
_NEAR_BEST = 0.95
"""The smallest batch with this share of the best throughput is taken."""
_SECONDS = 0.08
"""To measure each size for."""
_SLOW = 2.0
"""A call that takes longer is the last one measured."""
_LEAST_RUNS = 3


@dataclass(frozen=True)
class Capacity:
    """What was measured.

    Attributes:
        batch: samples to run together at most.
        per_second: samples in a second, by the samples of a call.
        reason: why nothing was measured, or why requests are not brought together; empty where they are.
    """

    batch: int
    per_second: Mapping[int, float]
    reason: str = ""

    def __str__(self) -> str:
        if not self.per_second:
            return f"batches of up to {self.batch}: {self.reason}"
        alone, best = self.per_second[1], self.per_second.get(self.batch, 0.0)
        if self.batch == 1:
            return f"requests run one by one, {alone:,.0f} samples/s: {self.reason}"
        return f"batches of up to {self.batch} samples, {best:,.0f} samples/s; one by one {alone:,.0f}"


def measure(
    run: Callable[[Feed], Sequence[np.ndarray]],
    samples: Feed,
    *,
    exact: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Capacity:
    """Runs 1, 2, 4, ... samples at once, up to all of them.

    Args:
        run: the model.
        samples: as many as may be run together.
        exact: answers must have the same bits, whatever runs beside them; a GPU rounds otherwise for other numbers of samples.
        clock: tells the time, in seconds.
    """
    most = len(next(iter(samples.values())))
    alone = [run(_first(samples, index, 1)) for index in range(min(most, 3))]
    together = run(_first(samples, 0, len(alone)))
    rates: dict[int, float] = {}
    for size in [2**power for power in range(most.bit_length())]:
        feed = _first(samples, 0, size)
        run(feed)
        times: list[float] = []
        while sum(times) < _SECONDS or len(times) < _LEAST_RUNS:
            begin = clock()
            run(feed)
            times.append(clock() - begin)
            if times[0] > _SLOW:
                break
        rates[size] = size / min(times)
        if times[0] > _SLOW or rates[size] < 0.7 * max(rates.values()):
            break
    if any(np.ndim(a) == 0 or len(a) != len(alone) for a in together):
        return Capacity(1, rates, "an output does not have a row for each sample")
    if exact and not _same(alone, together):
        return Capacity(1, rates, "a sample's answer has other bits beside others")
    best = max(rates.values())
    batch = next(size for size, rate in rates.items() if rate >= _NEAR_BEST * best)
    if rates[batch] < _LEAST_GAIN * rates[1]:
        return Capacity(1, rates, "larger batches are not faster")
    return Capacity(batch, rates)


def _first(samples: Feed, start: int, count: int) -> dict[str, np.ndarray]:
    return {name: array[start : start + count] for name, array in samples.items()}


def _same(alone: Sequence[Sequence[np.ndarray]], together: Sequence[np.ndarray]) -> bool:
    parts = [np.concatenate(of_output) for of_output in zip(*alone, strict=True)]
    return all(
        np.array_equal(part, whole, equal_nan=part.dtype.kind == "f")
        for part, whole in zip(parts, together, strict=True)
    )
