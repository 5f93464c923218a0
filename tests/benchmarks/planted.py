"""A system that goes wrong in a way of its choice, for the harness to notice."""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.systems._own import OwnRunner, OwnSystem
from benchmarks.systems.system import CannotComputeError, Job, Runner


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
            time.sleep(2.1)
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
