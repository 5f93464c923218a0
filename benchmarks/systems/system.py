"""What a system is to the harness: it builds a network from its description, runs it, and hands arrays back.

One file a system; `SYSTEM` in it is the instance. A file imports its library inside `build`, since the harness lists all
systems without having any of them. It runs in a process and an environment of its own (`benchmarks.worker`), so it may import
numpy, `benchmarks.workloads.network`, and what its requirements file names; nothing of the converter unless it is one of ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.workloads.network import Equation, Network


class CannotComputeError(Exception):
    """The system has no such layer or neuron: a row of the table with this reason."""


@dataclass(frozen=True)
class Job:
    """What shall be run: always the same n_steps, batch and threads, so that a system may compile for them."""

    network: Network
    n_steps: int
    batch: int
    threads: int
    provider: str = "cpu"
    """cpu or cuda."""


class Runner(ABC):
    """A network that is built and loaded."""

    settings: dict[str, object]
    """What was chosen, for the table: mode, minibatch, unrolling, compilation, precision."""

    @abstractmethod
    def run(self, x: np.ndarray) -> np.ndarray:
        """[batch, ...] -> the mean over time of the last layer, [batch, classes or ...], as numpy on the host.

        This is what is timed. A device is waited for.
        """

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray] | None:
        """How many spikes each neuron sent, [batch, ...] by name of the layer, channels first; None: it does not tell. Not timed."""
        return None


class System(ABC):
    """A row of the tables."""

    name: str
    """As on the command line and in the tables: onnx-snn, nengo-dl, spikingjelly ..."""
    equations: frozenset[Equation]
    """Those that it computes exactly, up to the order of float32 sums."""
    requirements: Path | None = None
    """The pinned requirements file of its environment; None: the project's own environment."""

    @abstractmethod
    def build(self, job: Job) -> Runner:
        """The network, loaded and ready for its first run.

        Raises:
            CannotComputeError: no such layer or neuron, or the provider is missing.
        """

    def version(self) -> str:
        """Of the library, with those of what it stands on."""
        return ""
