"""NengoDL 3.6 with TensorFlow: everything between two layers of neurons is one `TensorNode`, no synapse, dt = 1.

Two ways to run are timed, and the faster one is taken: `Simulator.predict`, which users call, and a `tf.function` of the
simulator's Keras model, which leaves out what `predict` does around it. Both with several minibatches and unrolled steps.
NengoDL runs all layers at every step: it has no place for a layer outside of time, except before and after its network.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast, first, last
from benchmarks.systems.system import CannotComputeError, Job, Runner, System
from benchmarks.workloads.network import Equation, Layer

SEARCH_SECONDS = 40.0
"""No further setting is tried after so long; to build one takes seconds."""


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
class Setting:
    """One way to run."""

    compiled: bool
    minibatch: int
    unrolled: int

    def named(self) -> dict[str, object]:
        """For the table."""
        how = "tf.function of its Keras model" if self.compiled else "Simulator.predict"
        return {"run by": how, "minibatch": self.minibatch, "unroll_simulation": self.unrolled}


class NengoDLRunner(Runner):
    """A simulator, at the fastest setting that a short search finds."""

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
        start = time.perf_counter()
        tried = self._search()
        self.seconds = {"search": time.perf_counter() - start}
        chosen = min(tried, key=lambda setting: tried[setting])
        if chosen != self._setting:
            self._use(chosen)
        self.settings = chosen.named() | {
            "inference_only": True,
            "stateful": False,
            "synapse": None,
            "threads": job.threads,
            "predict, ms": _best(tried, compiled=False),
            "tf.function, ms": _best(tried, compiled=True),
            "tried, ms": {str(list(found.named().values())): round(1e3 * s, 3) for found, s in tried.items()},
        }

    def run(self, x: np.ndarray) -> np.ndarray:
        flat, size = last(x).reshape(len(x), -1), self._setting.minibatch
        pieces = [self._run(flat[i : i + size]) for i in range(0, len(flat), size)]
        shape = self._moved.shapes[self._job.network.layers[-1].name]
        return first(np.concatenate(pieces).reshape(len(x), *shape))

    def spike_counts(self, x: np.ndarray) -> dict[str, np.ndarray]:
        flat, steps = last(x).reshape(len(x), -1), self._job.n_steps
        names = self._job.network.neurons
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        with self._simulator(1, 1, names) as (simulator, source, probes):
            for sample in flat:
                values = simulator.predict({source: np.repeat(sample[None, None], steps, 1)}, verbose=0)
                for name in names:
                    found[name].append(values[probes[name]].sum(axis=1).reshape(1, *self._moved.shapes[name]))
        return {name: first(np.concatenate(parts)) for name, parts in found.items()}

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

    # ------------------------------------------------------------------ the search

    def _use(self, setting: Setting) -> None:
        if self._open is not None and (self._setting.minibatch, self._setting.unrolled) != (
            setting.minibatch,
            setting.unrolled,
        ):
            self._open.__exit__(None, None, None)
            self._open = None
        if self._open is None:
            self._open = self._simulator(setting.minibatch, setting.unrolled, ())
            self._simulated, self._source, probes = self._open.__enter__()
            (self._probe,) = probes.values()
        self._setting = setting
        self._run = self._compiled() if setting.compiled else self._predict

    _open: Any = None
    _setting: Setting
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

    def _search(self) -> dict[Setting, float]:
        """Seconds of a run at each setting; the samples of a batch must fill minibatches, the steps what is unrolled."""
        batch, steps, begun = self._job.batch, self._job.n_steps, time.perf_counter()
        x = np.random.default_rng(0).random((batch, *self._job.network.input_shape), dtype=np.float32)
        minibatches = [n for n in dict.fromkeys((batch, batch // 4, batch // 10, batch // 16)) if n and batch % n == 0]
        unrolled = [n for n in (1, 5, 8, 4) if steps % n == 0][:2]
        tried: dict[Setting, float] = {}
        for minibatch, n in [(minibatches[0], n) for n in unrolled] + [(m, unrolled[-1]) for m in minibatches[1:]]:
            for compiled in (True, False):
                if tried and time.perf_counter() - begun > SEARCH_SECONDS:
                    return tried
                setting = Setting(compiled, minibatch, n)
                self._use(setting)
                tried[setting] = self.best_seconds(x)
        return tried


def _best(tried: dict[Setting, float], *, compiled: bool) -> float | None:
    found = [seconds for setting, seconds in tried.items() if setting.compiled == compiled]
    return round(1e3 * min(found), 3) if found else None


class NengoDL(System):
    """In inference, without a synapse, dt = 1."""

    name = "nengo-dl"
    equations = frozenset({Equation.NENGO_IF, Equation.NENGO_LIF})
    requirements = Path(__file__).parent / "requirements" / "nengo-dl.txt"

    def build(self, job: Job) -> Runner:
        """A simulator for the batch."""
        return NengoDLRunner(job)

    def version(self) -> str:
        """Of NengoDL, Nengo and TensorFlow."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("nengo-dl", "nengo", "tensorflow"))


SYSTEM = NengoDL()
