"""What a system is to the harness: it builds a network from its description, runs it, and hands arrays back.

One file a system, found by its name: `onnx_snn.py` is onnx-snn. `SYSTEM` in it is the instance. A file imports its library
inside `build`, since the harness lists all systems without having any of them. It runs in a process and an environment of its
own (`benchmarks.worker`), so it may import numpy, `benchmarks.workloads.network`, and what its requirements file names;
nothing of the converter unless it is one of ours.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

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
    shared: str = ""
    """A folder that systems of a family share, for what they make of the same network; it outlives the cell."""
    stream: bool = False
    """Each call is one more step (n_steps is 1) of a run without end: the state is carried from call to call."""
    sequence: bool = False
    """A layer of neurons alone: inputs are [n_steps, batch, ...], others at each step, and `run` gives the spikes of each step,
    [n_steps, batch, ...]. Both may stay on the device (`Runner.place`, `Runner.take`)."""
    setting: Mapping[str, Any] | None = None
    """The way to run that a search found (`Searching`); None: the usual one."""


class Runner(ABC):
    """A network that is built and loaded."""

    settings: Mapping[str, object] = MappingProxyType({})
    """What was chosen, for the table: mode, minibatch, unrolling, compilation, precision."""
    seconds: Mapping[str, float] = MappingProxyType({})
    """What it took to make what is loaded, for the table: conversion."""
    waited_seconds: float = 0.0
    """How much of `System.build` was not loading, but a conversion."""
    file_bytes: int | None = None
    """Size of the file that it was loaded from, where there is one."""
    mean_so_far: bool = False
    """Of a stream: `run` gives the mean over all steps so far; else the last layer in this step alone."""

    def place(self, x: np.ndarray) -> Any:
        """The inputs as `run` wants them, once before all runs. On a device only for a `Job.sequence`."""
        return x

    def take(self, y: Any) -> np.ndarray:
        """What `run` gave, as numpy on the host; not timed. For a `Job.sequence`; else `run` gives that itself."""
        result: np.ndarray = y
        return result

    @abstractmethod
    def run(self, x: Any) -> Any:
        """[batch, ...] -> the mean over time of the last layer, [batch, classes or ...], as numpy on the host.

        This is what is timed. A device is waited for. The layout of what comes back is that of ONNX, channels first.
        """

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray] | None:
        """How many spikes each neuron sent, [batch, ...] by name of the layer, channels first; None: it does not tell. Not
        timed, and not asked for in a stream."""
        return None


def portion(share: int) -> str:
    """Of a batch, in words."""
    return "the batch" if share == 1 else f"the batch / {share}"


S = TypeVar("S")
"""One way to run, a frozen dataclass of numbers and words that JSON holds. It says nothing of the exact batch or number of
steps, so that it serves others too."""
Tell = Callable[[dict[str, Any]], None]


class Searching(Runner, Generic[S]):
    """A runner with several ways to run, of which a search finds the fastest."""

    form: ClassVar[type]
    """The class of its settings."""

    @abstractmethod
    def use(self, setting: S) -> None:
        """From now on runs this way."""

    @abstractmethod
    def candidates(self, tried: Mapping[S, float]) -> Iterator[S]:
        """The ways to try, the usual one first, then what makes most of a difference.

        Args:
            tried: the seconds of those so far; it grows while the search goes on. All but the first may be missing.
        """

    def begin(self, job: Job) -> None:
        """Uses the job's setting, or the usual one."""
        setting = self.form(**job.setting) if job.setting is not None else next(iter(self.candidates({})))
        self.use(setting)

    def search(self, x: np.ndarray, limit: float, tell: Tell) -> None:
        """Tries settings, none after so many seconds, and tells of each: setting and seconds, or why it failed."""
        tried: dict[S, float] = {}
        begun, seen = time.perf_counter(), set[S]()
        for setting in self.candidates(tried):
            if setting in seen:
                continue
            if seen and time.perf_counter() - begun > limit:
                return
            seen.add(setting)
            about: dict[str, Any] = {"setting": asdict(setting)}  # type: ignore[call-overload]
            try:
                self.use(setting)
                tried[setting] = self._best_seconds(x)
            except Exception as error:
                if not tried:
                    raise
                reason = (str(error).strip().splitlines() or [""])[0]
                tell(about | {"failed": f"{type(error).__name__}: {reason}"[:200]})
            else:
                tell(about | {"seconds": tried[setting]})

    def _best_seconds(self, x: np.ndarray) -> float:
        """Of three runs after the first, of fewer where they take long."""
        placed, best = self.place(x), float("inf")
        self.run(placed)
        for _ in range(3):
            start = time.perf_counter()
            self.run(placed)
            best = min(best, time.perf_counter() - start)
            if best > 0.5:
                break
        return best


@dataclass(frozen=True)
class Rule:
    """What a system's outputs are held against before it is timed."""

    target: str = "spiking"
    """spiking: the network of `Equation` step by step, as our native operators run it. trained: the network with Relu for
    neurons. two-phase: each layer of neurons receives all its input, the mean of what the layer before it sent, then fires.
    delta and its schedules: the function bodies of the same file, since no other library has this code.
    nothing: it computes nothing, and is there to take ratios to."""
    note: str = ""
    """For the table, where it is another one than spiking: what is computed instead."""


class System(ABC):
    """A row of the tables."""

    name: str
    """As on the command line and in the tables: onnx-snn, nengo-dl, spikingjelly ..."""
    equations: frozenset[Equation]
    """Those that it computes exactly, up to the order of float32 sums."""
    requirements: Path | None = None
    """The pinned requirements file of its environment; None: the project's own environment."""
    rule: Rule = Rule()
    providers: tuple[str, ...] = ("cpu",)
    searches: bool = False
    """Its runners are `Searching`."""
    kinds: frozenset[str] = frozenset({"network", "stream", "sequence"})
    """Of jobs that it is asked for at all: where it is not, it has no row. A peer that cannot do one has a row that says so."""
    trained_only: bool = False
    """It is meant for workloads with trained weights."""
    steps: frozenset[int] | None = None
    """Of the cells that it is meant for; None: all."""

    @abstractmethod
    def build(self, job: Job) -> Runner:
        """The network, loaded and ready for its first run.

        Raises:
            CannotComputeError: no such layer or neuron, or the provider is missing.
        """

    def version(self) -> str:
        """Of the library, with those of what it stands on."""
        return ""
