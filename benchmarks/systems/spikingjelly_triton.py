"""SpikingJelly 2.0 with its Triton kernels, which it takes by the environment; in the environment of the harness (--here)."""

from __future__ import annotations

import os

from benchmarks.systems.spikingjelly import SpikingJelly
from benchmarks.systems.system import Job, Runner


class WithKernels(SpikingJelly):
    """On a GPU alone."""

    name = "spikingjelly-triton"
    requirements = None
    providers = ("cuda",)

    def build(self, job: Job) -> Runner:
        """The library reads the variable when it is imported."""
        os.environ["SJ_IF_CUDA_IMPLEMENTATION"] = "triton"
        return super().build(job)


SYSTEM = WithKernels()
