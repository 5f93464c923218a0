"""SpikingJelly 2.0: IFNode with soft reset, multi-step, or its functional step."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from benchmarks.systems.system import CannotComputeError, Job, Runner, System
from benchmarks.workloads.network import Equation


class SpikingJelly(System):
    name = "spikingjelly"
    equations = frozenset({Equation.IF})
    requirements = Path(__file__).parent / "requirements" / "spikingjelly.txt"

    def build(self, job: Job) -> Runner:
        if job.network.equation not in self.equations:
            raise CannotComputeError(f"it has no neuron with the equation {job.network.equation.value}")
        import torch
        from spikingjelly.activation_based import functional, neuron

        from benchmarks.systems.torch_network import Neurons, TorchRunner

        class IFNodes(Neurons):
            def start(self, current: torch.Tensor) -> Any:
                return torch.zeros_like(current)

            def step(self, current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
                return functional.if_step(current, state, 1.0, None)

            def sequence(self, currents: torch.Tensor) -> torch.Tensor:
                return neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m").eval()(currents)

        return TorchRunner(job, IFNodes())

    def version(self) -> str:
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("spikingjelly", "torch"))


SYSTEM = SpikingJelly()
