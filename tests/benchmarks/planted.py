"""Systems for the harness to notice: one that goes wrong in a way of its choice, and one with several ways to run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.systems._own import OwnRunner, OwnSystem
from benchmarks.systems.system import CannotComputeError, Job, Runner, Searching


class Planted(OwnSystem):
    """Ours, spoilt.

    Args:
        fault: what goes wrong.
    """

    def __init__(self, fault: str) -> None:
        super().__init__("planted")
        self._fault = fault

    def build(self, job: Job) -> Runner:
        if self._fault == "cannot":
            raise CannotComputeError("has no convolution")
        if self._fault == "raises":
            raise RuntimeError("something broke\nand here are the details")
        if self._fault == "dies":
            os._exit(3)
        return SpoiltRunner(job, self._fault)


class SpoiltRunner(OwnRunner):
    def __init__(self, job: Job, fault: str) -> None:
        super().__init__(job, "native", "stepped")
        self._fault, self._runs = fault, 0

    def run(self, x: np.ndarray) -> np.ndarray:
        self._runs += 1
        y = super().run(x)
        if self._fault == "output":
            y[0, 0] += 1e-3
        if self._fault == "not a number":
            y[-1, -1] = np.nan
        if self._fault == "shape":
            return y.T
        if self._fault == "hangs" and self._runs == 2:
            time.sleep(600)
        if self._fault == "slow":
            time.sleep(2.5)
        if self._fault == "dies later" and self._runs > 4:
            os._exit(4)
        print("a library that prints")
        return y

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray] | None:
        counts = super().spike_counts(x)
        first = next(iter(counts))
        if self._fault == "one spike":
            counts[first].reshape(-1)[0] += 1
        if self._fault == "no counts":
            return None
        if self._fault == "a layer less":
            del counts[first]
        return counts


@dataclass(frozen=True)
class Delay:
    """Seconds that a run takes longer. Below 0 it fails; above 10 nobody waits for it."""

    seconds: float


class Several(OwnSystem):
    """Ours, with several ways to run.

    Args:
        delays: of each, in the order in which a search tries them.
    """

    searches = True

    def __init__(self, *delays: float) -> None:
        super().__init__("several")
        self._delays = delays

    def build(self, job: Job) -> Runner:
        return SeveralRunner(job, self._delays)


class SeveralRunner(OwnRunner, Searching[Delay]):
    form = Delay

    def __init__(self, job: Job, delays: tuple[float, ...]) -> None:
        super().__init__(job, "native", "stepped")
        self._delays = delays
        self.begin(job)

    def use(self, setting: Delay) -> None:
        if setting.seconds < 0:
            raise ValueError("no such way")
        self._delay = setting.seconds
        self.settings = {"delay": setting.seconds, "batch": self._job.batch}

    def candidates(self, tried: Mapping[Delay, float]) -> Iterator[Delay]:
        for seconds in self._delays:
            yield Delay(seconds)
        yield min(tried, key=lambda setting: tried[setting])  # it was tried

    def run(self, x: np.ndarray) -> np.ndarray:
        time.sleep(self._delay)
        return super().run(x)
