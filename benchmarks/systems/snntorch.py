"""snnTorch 1.0: `Leaky` with beta = 1, which fires and resets in one step as `Equation.IF` does."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from benchmarks.systems.system import Job, Runner, System
from benchmarks.workloads.network import Equation


class SnnTorch(System):
    """The membrane that it carries is the one before the reset; with `reset_delay=False` it would not fire on what is left."""

    name = "snntorch"
    equations = frozenset({Equation.IF})
    requirements = Path(__file__).parent / "requirements" / "snntorch.txt"
    providers = ("cpu", "cuda")
    searches = True

    def build(self, job: Job) -> Runner:
        """With PyTorch."""
        import snntorch
        import torch

        from benchmarks.systems._torch_network import Neurons, TorchRunner

        nodes: dict[
            torch.Size, torch.nn.Module
        ] = {}  # each keeps its last membrane too: one a layer, or nothing compiles

        class LeakyNeurons(Neurons):
            def start(self, current: torch.Tensor) -> Any:
                node = snntorch.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract", surrogate_disable=True)
                nodes[current.shape] = node.to(job.provider).eval()
                return torch.zeros_like(current)

            def step(self, current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
                spikes, membrane = nodes[current.shape](current, state)
                return spikes, membrane

        return TorchRunner(job, LeakyNeurons())

    def version(self) -> str:
        """Of snnTorch and PyTorch."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("snntorch", "torch"))


SYSTEM = SnnTorch()
