"""SpikingJelly 0.0.0.0.14, the last with CuPy kernels: its neurons alone, on a GPU, in the harness's environment (--here)."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np

from benchmarks.systems.system import Job, Runner, System
from benchmarks.workloads.network import Equation


class CuPyRunner(Runner):
    """`IFNode` with backend "cupy", multi-step."""

    def __init__(self, job: Job) -> None:
        import torch
        from spikingjelly.activation_based import neuron

        self._torch, self._device = torch, torch.device(job.provider)
        self._nodes = (
            neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m", backend="cupy").to(self._device).eval()
        )
        self.settings = {"backend": "cupy", "step_mode": "m"}

    def place(self, x: np.ndarray) -> Any:
        """On the device."""
        return self._torch.from_numpy(x).to(self._device)

    def run(self, x: Any) -> Any:
        """All steps."""
        with self._torch.inference_mode():
            self._nodes.reset()
            y = self._nodes(x)
        self._torch.cuda.synchronize()
        return y

    def take(self, y: Any) -> np.ndarray:
        """From the device."""
        result: np.ndarray = y.cpu().numpy()
        return result


class SpikingJellyCuPy(System):
    """Version 2 has no CuPy kernels."""

    name = "spikingjelly-cupy"
    equations = frozenset({Equation.IF})
    providers = ("cuda",)
    kinds = frozenset({"sequence"})

    def build(self, job: Job) -> Runner:
        """On a GPU alone."""
        return CuPyRunner(job)

    def version(self) -> str:
        """Of SpikingJelly and PyTorch."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("spikingjelly", "torch"))


SYSTEM = SpikingJellyCuPy()
