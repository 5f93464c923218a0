"""Keras on the trained model: Relu where neurons stand, run once. `predict_on_batch`, or the model in a `tf.function`."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast, first, last
from benchmarks.systems.system import CannotComputeError, Job, Rule, Runner, Searching, System
from benchmarks.workloads.network import Equation, Layer, Network


@dataclass(frozen=True)
class KerasSetting:
    """One of four ways to call a model."""

    way: str

    def named(self) -> dict[str, object]:
        """For the table."""
        return {"run by": self.way}


class KerasRunner(Searching[KerasSetting]):
    """A Keras model."""

    mean_so_far = True
    form = KerasSetting

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

        self._ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "tf.function": function(),
            "tf.function, jit_compile": function(jit_compile=True),
            "predict_on_batch": model.predict_on_batch,
            "predict": lambda x: model.predict(x, batch_size=job.batch, verbose=0),
        }
        self._threads = job.threads
        self.begin(job)

    def use(self, setting: KerasSetting) -> None:
        """One of the ways."""
        self._run = self._ways[setting.way]
        self.settings = setting.named() | {"threads": self._threads}

    def candidates(self, tried: Mapping[KerasSetting, float]) -> Iterator[KerasSetting]:
        """All."""
        return map(KerasSetting, self._ways)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Once: it has no time steps."""
        return first(self._run(last(x)))


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
    searches = True
    kinds = frozenset({"network"})

    def build(self, job: Job) -> Runner:
        """With TensorFlow."""
        return KerasRunner(job)

    def version(self) -> str:
        """Of Keras and TensorFlow."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow"))


SYSTEM = Keras()
