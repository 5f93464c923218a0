"""What a converter gets and gives. Needs numpy only: converters run in the environments of their systems."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast
from benchmarks.workloads.network import Network

TIMED_SAMPLES = 100
"""Samples at once when time is taken."""
SCREENED = 200
"""Test images on which a converter with many recipes finds its best one."""


@dataclass(frozen=True)
class Task:
    """A network with Relu where neurons will stand, images for calibration, and test images with labels."""

    network: Network
    calibration: np.ndarray
    x: np.ndarray
    y: np.ndarray
    steps: tuple[int, ...]
    threads: int
    timed: bool = True
    """Whether times are wanted."""

    def save(self, folder: Path) -> None:
        """As two files."""
        self.network.save(folder / "network.npz")
        np.savez(
            folder / "data.npz",
            calibration=self.calibration,
            x=self.x,
            y=self.y,
            steps=self.steps,
            threads=self.threads,
            timed=self.timed,
        )

    @classmethod
    def load(cls, folder: Path) -> Task:
        """What `save` wrote."""
        with np.load(folder / "data.npz") as data:
            steps = tuple(int(n) for n in data["steps"])
            return cls(
                Network.load(folder / "network.npz"),
                data["calibration"],
                data["x"],
                data["y"],
                steps,
                int(data["threads"]),
                bool(data["timed"]),
            )

    def milliseconds(self, runs: Mapping[int, Callable[[], object]]) -> dict[int, float]:
        """Of each run, by number of steps: the median of up to five after the first, for about 3 seconds. None where none are
        wanted."""
        return {n_steps: _milliseconds(run) for n_steps, run in runs.items()} if self.timed else {}

    def accuracy(self, scores: np.ndarray) -> float:
        """Of scores [N, classes] of the first N test images."""
        return float((scores.argmax(axis=-1) == self.y[: len(scores)]).mean())

    def spikes_per_synapse(self, counts: Mapping[str, float]) -> float:
        """The mean number of spikes that pass a synapse, from the mean number that a neuron of each layer sends."""
        synapses = synapses_of(self.network)
        return sum(n * counts[name] for name, n in synapses.items()) / sum(synapses.values())


@dataclass(frozen=True)
class Figures:
    """What a recipe gave, by number of steps.

    Attributes:
        recipe: in words.
        accuracy: share of the test images.
        spikes_per_synapse: of an image; see `Task.spikes_per_synapse`.
        milliseconds: for `TIMED_SAMPLES` images.
    """

    recipe: str
    accuracy: dict[int, float]
    spikes_per_synapse: dict[int, float]
    milliseconds: dict[int, float]


Converter = Callable[[Task], Iterable[Figures]]


def synapses_of(network: Network) -> dict[str, float]:
    """Multiply-adds of the layers that each layer of neurons feeds; where several feed a layer, each has an equal part."""
    moved = ChannelsLast(network)
    by_name = {layer.name: layer for layer in network.layers}
    found = dict.fromkeys(network.neurons, 0.0)

    def feeding(name: str) -> set[str]:
        if name == "input":
            return set()
        layer = by_name[name]
        return {name} if layer.kind == "neuron" else set().union(*(feeding(before) for before in layer.inputs))

    for layer in network.layers:
        if layer.name not in moved.weights:
            continue
        weights = moved.weights[layer.name]
        places = {"conv": layer.name, "conv_transpose": layer.inputs[0]}.get(layer.kind)
        work = weights.size * (float(np.prod(moved.shapes[places][:2])) if places else 1.0)
        neurons = feeding(layer.inputs[0])
        for name in neurons:
            found[name] += work / len(neurons)
    return found


def _milliseconds(run: Callable[[], object]) -> float:
    run()
    times: list[float] = []
    while len(times) < 5 and sum(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))
