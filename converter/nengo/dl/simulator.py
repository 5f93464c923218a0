"""Running a network in NengoDL: float32, many samples at once."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import onnx

from converter.errors import RefusedError
from converter.graph.run import Feed
from converter.nengo.dl.shim import import_nengo_dl
from converter.nengo.network import NengoModel, to_nengo
from converter.nengo.simulator import NO_STATES, Recording


def to_nengo_dl(proto: onnx.ModelProto, *, n_steps: int | None = None, synapse: Any = None) -> NengoModel:
    """As `to_nengo`, with functions as TensorNodes.

    Raises:
        RefusedError: NengoDL is not installed, or the model has something that Nengo or NengoDL does not have.
    """
    import_nengo_dl()
    dl_parts = importlib.import_module("converter.nengo.dl.parts")
    model = to_nengo(proto, n_steps=n_steps, synapse=synapse, namespace=dl_parts.NAMESPACE)
    for ensemble in model.network.all_ensembles:
        if isinstance((ensemble.neuron_type.initial_state or {}).get("refractory_time"), np.ndarray):
            raise RefusedError("it begins in a refractory time, which NengoDL counts otherwise", node=ensemble.label)
    return model


@contextmanager
def without_warnings() -> Iterator[None]:
    """NengoDL warns of versions, missing GPUs and the like at every simulator."""
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore")
        yield


class DLSimulator:
    """A context in which a network runs; as `CoreSimulator`, with `minibatch` samples at once."""

    name = "NengoDL, float32"

    def __init__(
        self,
        model: NengoModel,
        layers: Sequence[str] = (),
        states: Mapping[str, str] = NO_STATES,
        *,
        minibatch: int = 10,
    ) -> None:
        self._model, self._layers, self._states, self._minibatch = model, layers, states, minibatch
        self._stack = ExitStack()

    def __enter__(self) -> DLSimulator:
        nengo_dl = import_nengo_dl()
        self._outputs, self._recorded = self._stack.enter_context(self._model.probes(self._layers, self._states))
        with without_warnings():
            simulator = nengo_dl.Simulator(
                self._model.network, dt=self._model.dt, minibatch_size=self._minibatch, progress_bar=False
            )
        self._simulator = self._stack.enter_context(simulator)
        return self

    def __exit__(self, *_: object) -> None:
        with without_warnings():
            self._stack.close()

    def run(self, feed: Feed, n_steps: int) -> tuple[Recording, Recording]:
        """Runs samples from the initial state each; see `CoreSimulator.run`."""
        samples = len(next(iter(feed.values())))
        pieces = []
        for start in range(0, samples, self._minibatch):
            batch = {
                self._model.network.inputs[name]: through_time(
                    array[start : start + self._minibatch], n_steps, self._minibatch
                )
                for name, array in feed.items()
            }
            with without_warnings():
                data = self._simulator.predict(batch, verbose=0)
            pieces.append({probe: array[: samples - start] for probe, array in data.items()})
        arrays = {probe: np.concatenate([piece[probe] for piece in pieces]) for probe in pieces[0]}
        return {k: arrays[p] for k, p in self._outputs.items()}, {k: arrays[p] for k, p in self._recorded.items()}


def through_time(array: np.ndarray, n_steps: int, minibatch: int) -> np.ndarray:
    """[samples, ...] -> [minibatch, n_steps, elements]: the same at every step; missing samples are zeros."""
    flat = np.zeros((minibatch, int(np.prod(array.shape[1:]))), np.float32)
    flat[: len(array)] = array.reshape(len(array), -1)
    return np.repeat(flat[:, None], n_steps, axis=1)
