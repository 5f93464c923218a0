"""SpikingJelly 2.0: `IFNode` with soft reset, multi-step where all steps of a layer run at once."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from benchmarks.systems.system import Job, Runner, System
from benchmarks.workloads.network import Equation


class SpikingJelly(System):
    """`IFNode` is one operator to torch.compile, so a single step is put together from its functions and a spike of our own."""

    name = "spikingjelly"
    equations = frozenset({Equation.IF})
    requirements = Path(__file__).parent / "requirements" / "spikingjelly.txt"
    providers = ("cpu", "cuda")
    searches = True

    def build(self, job: Job) -> Runner:
        """With PyTorch."""
        import torch
        from spikingjelly.activation_based import functional, neuron

        from benchmarks.systems._torch_network import Neurons, TorchRunner

        def spikes(x: torch.Tensor) -> torch.Tensor:
            return (x >= 0).to(x.dtype)

        nodes = neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m").eval()

        class IFNodes(Neurons):
            def start(self, current: torch.Tensor) -> Any:
                return torch.zeros_like(current)

            def step(self, current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
                h = state + current
                spike = spikes(h - 1.0)
                return spike, functional.voltage_reset(h, spike, 1.0, None, False)

            def sequence(self, currents: torch.Tensor) -> torch.Tensor:
                nodes.reset()
                result: torch.Tensor = nodes(currents)
                return result

        return TorchRunner(job, IFNodes())

    def version(self) -> str:
        """Of SpikingJelly and PyTorch."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("spikingjelly", "torch"))


SYSTEM = SpikingJelly()
