"""Sinabs 3.1: `IAF` with soft reset, one spike a step, or any number, as `Equation.NENGO_IF` has it."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from benchmarks.systems.system import Job, Runner, System
from benchmarks.workloads.network import Equation


class Sinabs(System):
    """With PyTorch. Currents of NENGO_IF pass a ReLU first, since its membrane would take negative ones."""

    name = "sinabs"
    equations = frozenset({Equation.IF, Equation.NENGO_IF})
    requirements = Path(__file__).parent / "requirements" / "sinabs.txt"
    providers = ("cpu", "cuda")
    searches = True

    def build(self, job: Job) -> Runner:
        """Its layer where all steps of a layer run at once, its functional API for a single step."""
        import torch
        from sinabs.activation import MembraneSubtract, MultiSpike, SingleSpike
        from sinabs.layers import IAF
        from sinabs.layers.functional.lif import lif_forward_single

        from benchmarks.systems._torch_network import Neurons, TorchRunner

        many = job.network.equation is Equation.NENGO_IF
        spike, subtract = MultiSpike if many else SingleSpike, MembraneSubtract()
        layer = IAF(spike_threshold=torch.tensor(1.0), spike_fn=spike, reset_fn=subtract).to(job.provider).eval()

        class IAFNeurons(Neurons):
            time_axis = 1

            def start(self, current: torch.Tensor) -> Any:
                return torch.zeros_like(current)

            def step(self, current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
                rectified = torch.relu(current) if many else current
                spikes, new = lif_forward_single(
                    rectified, 1.0, None, {"v_mem": state}, 1.0, spike, subtract, None, None, norm_input=False
                )
                return spikes, new["v_mem"]

            def sequence(self, currents: torch.Tensor) -> torch.Tensor:
                layer.reset_states()
                result: torch.Tensor = layer(torch.relu(currents) if many else currents)
                return result

        return TorchRunner(job, IAFNeurons())

    def version(self) -> str:
        """Of Sinabs and PyTorch."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("sinabs", "torch"))


SYSTEM = Sinabs()
