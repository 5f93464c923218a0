"""A copy of as many bytes as an operator reads and writes, once each: what the memory allows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.systems.system import CannotComputeError, Job, Rule, Runner, System
from benchmarks.workloads.network import Equation


class CopyRunner(Runner):
    """Copies the inputs."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pool = ThreadPoolExecutor(job.threads)
        self.settings = {"copied by": f"{job.threads} threads" if job.provider == "cpu" else "the device"}

    def place(self, x: np.ndarray) -> Callable[[], Any]:
        """The copy."""
        if self._job.provider == "cuda":
            return _device_copy(x)
        target = np.empty_like(x)
        parts = list(zip(np.array_split(target, self._job.threads), np.array_split(x, self._job.threads), strict=True))
        if self._job.threads == 1:
            return lambda: np.copyto(target, x)
        return lambda: list(self._pool.map(lambda part: np.copyto(*part), parts))

    def run(self, x: Callable[[], Any]) -> Any:
        """Once."""
        return x()

    def take(self, y: Any) -> np.ndarray:
        """Nothing: it computes nothing."""
        return np.zeros(1)


def _device_copy(x: np.ndarray) -> Callable[[], Any]:
    if find_spec("torch"):
        import torch

        a = torch.from_numpy(x).to("cuda")
        b = torch.empty_like(a)
        return lambda: (b.copy_(a), torch.cuda.synchronize())
    if find_spec("cupy"):
        import cupy

        c = cupy.asarray(x)
        d = cupy.empty_like(c)
        return lambda: (cupy.copyto(d, c), cupy.cuda.get_current_stream().synchronize())
    raise CannotComputeError("neither PyTorch nor CuPy is installed, which copy on the device")


class Copy(System):
    """Beside operators."""

    name = "copy"
    equations = frozenset(Equation)
    rule = Rule("nothing", "a copy of as many bytes")
    providers = ("cpu", "cuda")
    kinds = frozenset({"sequence"})

    def build(self, job: Job) -> Runner:
        """Nothing to build."""
        return CopyRunner(job)


SYSTEM = Copy()
