"""Keras on the trained model: Relu where neurons stand, run once. `predict_on_batch`, or the model in a `tf.function`."""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast, first, last
from benchmarks.systems.system import CannotComputeError, Job, Rule, Runner, System
from benchmarks.workloads.network import Equation, Layer, Network


class KerasRunner(Runner):
    """A Keras model, called in the fastest of four ways."""

    mean_so_far = True

    def __init__(self, job: Job) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(job.threads)
        tf.config.threading.set_inter_op_parallelism_threads(job.threads)
        if job.provider == "cuda" and not tf.config.list_physical_devices("GPU"):
            raise CannotComputeError("its TensorFlow sees no GPU")
        import keras

        model = model_of(keras, job.network)

        def function(**options: Any) -> Callable[[np.ndarray], np.ndarray]:
            called = tf.function(lambda x: model(x, training=False), **options)
            return lambda x: called(tf.constant(x)).numpy()

        ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "predict": lambda x: model.predict(x, batch_size=job.batch, verbose=0),
            "predict_on_batch": model.predict_on_batch,
            "tf.function": function(),
            "tf.function, jit_compile": function(jit_compile=True),
        }
        x = np.random.default_rng(0).random((job.batch, *job.network.input_shape), dtype=np.float32)
        start = time.perf_counter()
        tried = {name: _seconds(way, last(x)) for name, way in ways.items()}
        self.seconds = {"search": time.perf_counter() - start}
        best = min(tried, key=lambda name: tried[name])
        self._run = ways[best]
        self.settings = {
            "run by": best,
            "threads": job.threads,
            "tried, ms": {name: round(1e3 * seconds, 3) for name, seconds in tried.items()},
        }

    def run(self, x: np.ndarray) -> np.ndarray:
        """Once: it has no time steps."""
        return first(self._run(last(x)))


def _seconds(way: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> float:
    way(x)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        way(x)
        best = min(best, time.perf_counter() - start)
    return best


def model_of(keras: Any, network: Network) -> Any:
    """A network of Keras's layers, with Relu for neurons; `keras` is Keras 3, or the Keras 2 of tf-keras."""
    moved = ChannelsLast(network)
    values = {"input": keras.Input(moved.shapes["input"], dtype="float32")}
    weights = {}
    for layer in network.layers:
        inputs = [values[name] for name in layer.inputs]
        if layer.kind == "conv" and any(layer.pads):
            top, left, bottom, right = layer.pads
            inputs[0] = keras.layers.ZeroPadding2D(((top, bottom), (left, right)))(inputs[0])
        made = _layer(keras, layer, moved)
        values[layer.name] = made(inputs if layer.kind == "add" else inputs[0])
        if layer.kind == "conv_transpose":
            top, left, bottom, right = layer.pads
            values[layer.name] = keras.layers.Cropping2D(((top, bottom), (left, right)))(values[layer.name])
        if layer.name in moved.weights:
            weights[made] = [moved.weights[layer.name], moved.bias[layer.name]]
    model = keras.Model(values["input"], values[network.layers[-1].name])
    for made, arrays in weights.items():
        made.set_weights(arrays)
    return model


def _layer(keras: Any, layer: Layer, moved: ChannelsLast) -> Any:
    layers = keras.layers
    if layer.kind in ("conv", "conv_transpose"):
        kind = layers.Conv2D if layer.kind == "conv" else layers.Conv2DTranspose
        kernel = moved.weights[layer.name].shape
        return kind(len(moved.bias[layer.name]), kernel[:2], strides=layer.stride, padding="valid")
    if layer.kind == "dense":
        return layers.Dense(len(moved.bias[layer.name]))
    if layer.kind == "average_pool":
        return layers.AveragePooling2D(layer.size)
    simple = {"flatten": layers.Flatten, "add": layers.Add, "neuron": layers.ReLU}
    return simple[layer.kind]()


class Keras(System):
    """Its equation is Relu, whatever the network's."""

    name = "keras"
    equations = frozenset({Equation.IF, Equation.NENGO_IF, Equation.NENGO_LIF})
    requirements = Path(__file__).parent / "requirements" / "keras.txt"
    rule = Rule("trained", "the network with Relu for neurons, no time steps")
    kinds = frozenset({"network"})

    def build(self, job: Job) -> Runner:
        """With TensorFlow."""
        return KerasRunner(job)

    def version(self) -> str:
        """Of Keras and TensorFlow."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow"))


SYSTEM = Keras()
