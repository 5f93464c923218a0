"""Running a network in nengo.Simulator: float64, one sample after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import nengo
import numpy as np

from converter.graph.run import Feed
from converter.nengo.network import NengoModel

Recording = dict[str, np.ndarray]
NO_STATES: Mapping[str, str] = {}


class CoreSimulator:
    """A context in which a network runs.

    Args:
        model: the network.
        layers: neuron nodes of the model to record.
        states: for some of them, a state to record instead of the spikes.
    """

    name = "nengo.Simulator, float64"

    def __init__(self, model: NengoModel, layers: Sequence[str] = (), states: Mapping[str, str] = NO_STATES) -> None:
        self._model, self._layers, self._states = model, layers, states
        self._stack = ExitStack()

    def __enter__(self) -> CoreSimulator:
        self._outputs, self._recorded = self._stack.enter_context(self._model.probes(self._layers, self._states))
        with np.errstate(divide="ignore"):
            simulator = nengo.Simulator(self._model.network, dt=self._model.dt, progress_bar=False)
        self._simulator = self._stack.enter_context(simulator)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, feed: Feed, n_steps: int) -> tuple[Recording, Recording]:
        """Runs samples from the initial state each.

        Returns:
            Outputs after every step, and what was recorded, ``[samples, n_steps, elements]`` each.
        """
        rows = list(self._rows(feed, n_steps))
        arrays = {probe: np.stack([row[probe] for row in rows]) for probe in rows[0]}
        return {k: arrays[p] for k, p in self._outputs.items()}, {k: arrays[p] for k, p in self._recorded.items()}

    def _rows(self, feed: Feed, n_steps: int) -> Iterator[dict[Any, np.ndarray]]:
        for index in range(len(next(iter(feed.values())))):
            self._model.current.update({k: v[index].ravel().astype(np.float64) for k, v in feed.items()})
            self._simulator.reset()
            self._simulator.run_steps(n_steps, progress_bar=False)
            probes = (*self._outputs.values(), *self._recorded.values())
            yield {probe: self._simulator.data[probe].copy() for probe in probes}
