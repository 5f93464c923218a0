"""Norse 1.1: the LIF box neuron with soft reset. Its IAF neuron resets to a value, which is another equation.

A box neuron leaks: v = v + (J - v) dt / tau. With a time constant of 2^60 steps and currents multiplied by as much, the leak is
below what float32 can tell from nothing, and the neuron computes `Equation.IF` to the last bit.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from benchmarks.systems.system import Job, Runner, System
from benchmarks.workloads.network import Equation

TIME_CONSTANT = 2.0**60


class Norse(System):
    """With PyTorch."""

    name = "norse"
    equations = frozenset({Equation.IF})
    requirements = Path(__file__).parent / "requirements" / "norse.txt"
    providers = ("cpu", "cuda")
    searches = True

    def build(self, job: Job) -> Runner:
        """A step of its functional API; it has none for all steps at once without a loop in Python."""
        import torch
        from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
        from norse.torch.functional.reset import reset_subtract

        from benchmarks.systems._torch_network import Neurons, TorchRunner

        device = job.provider
        parameters = LIFBoxParameters(
            tau_mem_inv=torch.tensor(1 / TIME_CONSTANT, device=device),
            v_leak=torch.tensor(0.0, device=device),
            v_th=torch.tensor(1.0, device=device),
            v_reset=torch.tensor(0.0, device=device),
            method="heaviside",
            reset_method=reset_subtract,
        )

        class BoxNeurons(Neurons):
            current_scale = TIME_CONSTANT

            def start(self, current: torch.Tensor) -> Any:
                return torch.zeros_like(current)

            def step(self, current: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
                spikes, new = lif_box_feed_forward_step(current, LIFBoxFeedForwardState(state), parameters, 1.0)
                return spikes, new.v

        return TorchRunner(job, BoxNeurons())

    def version(self) -> str:
        """Of Norse and PyTorch."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("norse", "torch"))


SYSTEM = Norse()
