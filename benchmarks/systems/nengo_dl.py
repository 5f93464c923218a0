"""NengoDL 3.6 with TensorFlow: everything between two layers of neurons is one `TensorNode`, no synapse, dt = 1.

Two ways to run are tried: `Simulator.predict`, which users call, and a `tf.function` of the simulator's Keras model, which
leaves out what `predict` does around it. Both with several minibatches and unrolled steps.
NengoDL runs all layers at every step: it has no place for a layer outside of time, except before and after its network.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast, first, last
from benchmarks.systems.system import CannotComputeError, Job, Runner, Searching, System, portion
from benchmarks.workloads.network import Equation, Layer


def import_nengo_dl() -> ModuleType:
    """NengoDL was written for Keras 2, which lives on as tf-keras: while it is imported, `keras` is that."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    tensorflow = importlib.import_module("tensorflow")
    legacy = {"keras": "tf_keras"} | {
        f"keras.{part}": f"tf_keras.src.{part}" for part in ("layers", "engine", "engine.functional")
    }
    before = {name: sys.modules.get(name) for name in legacy}
    sys.modules.update({name: importlib.import_module(module) for name, module in legacy.items()})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nengo_dl = importlib.import_module("nengo_dl")
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    tensorflow.get_logger().setLevel("ERROR")
    return nengo_dl


@dataclass(frozen=True)
class NengoDLSetting:
    """One way to run.

    Attributes:
        compiled: a tf.function.
        share: of the batch, a minibatch is one in so many.
        unrolled: steps, at most.
    """

    compiled: bool = True
    share: int = 1
    unrolled: int = 1

    def named(self) -> dict[str, object]:
        """For the table."""
        how = "tf.function of its Keras model" if self.compiled else "Simulator.predict"
        return {"run by": how, "minibatch": portion(self.share), "unroll_simulation": f"up to {self.unrolled}"}


class NengoDLRunner(Searching[NengoDLSetting]):
    """A simulator."""

    form = NengoDLSetting

    def __init__(self, job: Job) -> None:
        if job.stream or job.sequence:
            raise CannotComputeError(
                "its simulator takes the input of all steps at once, and gives no layer of neurons alone"
            )
        nengo_dl = import_nengo_dl()
        self._tf: Any = sys.modules["tensorflow"]
        self._tf.config.threading.set_intra_op_parallelism_threads(job.threads)
        self._tf.config.threading.set_inter_op_parallelism_threads(job.threads)
        self._nengo_dl, self._job = nengo_dl, job
        self._moved = ChannelsLast(job.network)
        from benchmarks.systems._tensorflow_layers import TensorFlowLayers

        self._layers = TensorFlowLayers(self._moved)
        self.begin(job)

    def run(self, x: np.ndarray) -> np.ndarray:
        flat, size = last(x).reshape(len(x), -1), self._minibatch
        pieces = [self._run(flat[i : i + size]) for i in range(0, len(flat), size)]
        shape = self._moved.shapes[self._job.network.layers[-1].name]
        return first(np.concatenate(pieces).reshape(len(x), *shape))

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        flat, steps = last(x).reshape(len(x), -1), self._job.n_steps
        names = self._job.network.neurons
        with self._simulator(len(x), 1, names) as (simulator, source, probes):
            values = simulator.predict({source: np.repeat(flat[:, None], steps, 1)}, verbose=0)
        return {
            name: first(values[probes[name]].sum(axis=1).reshape(len(x), *self._moved.shapes[name])) for name in names
        }

    # ------------------------------------------------------------------ the network

    def _simulator(self, minibatch: int, unrolled: int, probed: tuple[str, ...]) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def opened() -> Iterator[tuple[Any, Any, dict[str, Any]]]:
            network, source, probes = self._network(probed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with self._nengo_dl.Simulator(
                    network, dt=1.0, minibatch_size=minibatch, unroll_simulation=unrolled, progress_bar=False
                ) as simulator:
                    yield simulator, source, probes

        return opened()

    def _network(self, probed: tuple[str, ...]) -> tuple[Any, Any, dict[str, Any]]:
        import nengo

        described, shapes = self._job.network, self._moved.shapes
        at_rest = {"voltage": nengo.dists.Choice([0])}
        neurons: Any = {
            Equation.NENGO_IF: lambda: nengo.SpikingRectifiedLinear(initial_state=at_rest),
            Equation.NENGO_LIF: lambda: nengo.LIF(tau_rc=20.0, tau_ref=2.0, initial_state=at_rest),
        }[described.equation]()
        with nengo.Network(seed=0) as network:
            self._nengo_dl.configure_settings(inference_only=True, stateful=False, trainable=False)
            source = nengo.Node(np.zeros(int(np.prod(shapes["input"]))))
            sent: dict[str, Any] = {"input": source}
            for layer in described.layers:
                if layer.kind == "neuron":
                    current = self._between(layer.inputs[0], sent)
                    size = int(np.prod(shapes[layer.name]))
                    one, zero = nengo.dists.Choice([1]), nengo.dists.Choice([0])
                    ensemble = nengo.Ensemble(size, 1, neuron_type=neurons, gain=one, bias=zero)
                    nengo.Connection(current, ensemble.neurons, synapse=None)
                    sent[layer.name] = ensemble.neurons
            names = probed or (described.layers[-1].name,)
            probes = {name: nengo.Probe(self._between(name, sent), synapse=None) for name in names}
        return network, source, probes

    def _between(self, name: str, sent: dict[str, Any]) -> Any:
        """The value of a layer: of neurons, or of one node that computes all layers since the last neurons."""
        import nengo

        if name in sent:
            return sent[name]
        by_name = {layer.name: layer for layer in self._job.network.layers}
        needed: list[Layer] = []
        sources: list[str] = []

        def visit(value: str) -> None:
            if value in sent:
                sources.extend([value] * (value not in sources))
            elif by_name[value] not in needed:
                for before in by_name[value].inputs:
                    visit(before)
                needed.append(by_name[value])

        visit(name)
        shapes, tf = self._moved.shapes, self._tf
        sizes = [int(np.prod(shapes[source])) for source in sources]

        def compute(x: Any) -> Any:
            parts = tf.split(x, sizes, axis=1) if len(sizes) > 1 else [x]
            values = {s: tf.reshape(part, [-1, *shapes[s]]) for s, part in zip(sources, parts, strict=True)}
            for layer in needed:
                values[layer.name] = self._layers.apply(layer, [values[before] for before in layer.inputs])
            return tf.reshape(values[name], [-1, int(np.prod(shapes[name]))])

        node = self._nengo_dl.TensorNode(
            compute, shape_in=(sum(sizes),), shape_out=(int(np.prod(shapes[name])),), pass_time=False
        )
        start = 0
        for source, size in zip(sources, sizes, strict=True):
            nengo.Connection(sent[source], node[start : start + size], synapse=None)
            start += size
        return node

    # ------------------------------------------------------------------ settings

    def use(self, setting: NengoDLSetting) -> None:
        """The samples of a batch fill minibatches, and the steps what is unrolled."""
        minibatch = largest_divisor(self._job.batch, max(1, self._job.batch // setting.share))
        unrolled = largest_divisor(self._job.n_steps, setting.unrolled)
        if self._open is not None and (self._minibatch, self._unrolled) != (minibatch, unrolled):
            self._open.__exit__(None, None, None)
            self._open = None
        self._minibatch, self._unrolled = minibatch, unrolled
        if self._open is None:
            self._open = self._simulator(minibatch, unrolled, ())
            self._simulated, self._source, probes = self._open.__enter__()
            (self._probe,) = probes.values()
        self._run = self._compiled() if setting.compiled else self._predict
        self.settings = setting.named() | {
            "minibatch": minibatch,
            "unroll_simulation": unrolled,
            "inference_only": True,
            "stateful": False,
            "synapse": None,
            "threads": self._job.threads,
        }

    def candidates(self, tried: Mapping[NengoDLSetting, float]) -> Iterator[NengoDLSetting]:
        """To build a simulator takes seconds: both ways to run it follow each other."""
        for share, unrolled in ((1, 1), (1, 8), (4, 8), (16, 8)):
            if share <= self._job.batch and unrolled <= self._job.n_steps:
                yield NengoDLSetting(True, share, unrolled)
                yield NengoDLSetting(False, share, unrolled)

    _open: Any = None
    _minibatch: int
    _unrolled: int
    _run: Callable[[np.ndarray], np.ndarray]

    def _predict(self, x: np.ndarray) -> np.ndarray:
        through_time = np.repeat(x[:, None], self._job.n_steps, axis=1)
        result: np.ndarray = self._simulated.predict({self._source: through_time}, verbose=0)[self._probe].mean(axis=1)
        return result

    def _compiled(self) -> Callable[[np.ndarray], np.ndarray]:
        tf, model, steps = self._tf, self._simulated.keras_model, self._job.n_steps

        @tf.function
        def answer(x: Any) -> Any:
            outputs = model([tf.repeat(x[:, None], steps, axis=1), tf.fill([tf.shape(x)[0], 1], steps)], training=False)
            return tf.reduce_mean(outputs[0], axis=1)

        def run(x: np.ndarray) -> np.ndarray:
            result: np.ndarray = answer(tf.constant(x)).numpy()
            return result

        return run


def largest_divisor(number: int, most: int) -> int:
    """Of a number, up to another."""
    return max(n for n in range(1, min(number, most) + 1) if number % n == 0)


class NengoDL(System):
    """In inference, without a synapse, dt = 1."""

    name = "nengo-dl"
    equations = frozenset({Equation.NENGO_IF, Equation.NENGO_LIF})
    requirements = Path(__file__).parent / "requirements" / "nengo-dl.txt"
    searches = True

    def build(self, job: Job) -> Runner:
        """A simulator for the batch."""
        return NengoDLRunner(job)

    def version(self) -> str:
        """Of NengoDL, Nengo and TensorFlow."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("nengo-dl", "nengo", "tensorflow"))


SYSTEM = NengoDL()
