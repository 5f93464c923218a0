"""Trains the weights of the workloads: ``python -m benchmarks.workloads.train [NAME...] [--epochs N]``. Needs onnx-snn[nengo].

The trained network has Relu where neurons will stand. Its activations are then brought to 1 channel by channel (the 99.9th
percentile on training images), so that all thresholds are 1, and the weights to the grid of `catalogue`. MNIST and CIFAR-10
are those of ``tools/fetch_datasets.sh``. Weights are the same in every run on the same processor type only.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tf_keras as keras

from benchmarks import datasets
from benchmarks.workloads.catalogue import FOLDER, MOST_WEIGHT, WORKLOADS, Workload, inputs_on_grid, on_grid

layers = keras.layers
EPOCHS = {"resnet-8": 10, "autoencoder": 3}
DEFAULT_EPOCHS = 6
PERCENTILE = 99.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trained = [name for name, make in WORKLOADS.items() if make().trained and not make().stream]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(trained)}")
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name in arguments.names or trained:
        start = time.perf_counter()
        print(f"{name}: {train(WORKLOADS[name](), arguments.epochs)}, {time.perf_counter() - start:.0f} s", flush=True)


def train(workload: Workload, epochs: int | None = None) -> str:
    """Writes the weights; returns how good they are on the test images."""
    keras.utils.set_random_seed(0)
    data = datasets.load("cifar10" if workload.input_shape[0] == 3 else "mnist")
    x_train, x_test = (inputs_on_grid(x.transpose(0, 2, 3, 1) / 255) for x in (data.x_train, data.x_test))
    images = workload.name == "autoencoder"
    y_train, y_test = (x_train, x_test) if images else (data.y_train, data.y_test)
    model, of_neurons = keras_model(workload)
    epochs = EPOCHS.get(workload.name, DEFAULT_EPOCHS) if epochs is None else epochs
    rate = keras.optimizers.schedules.CosineDecay(2e-3, max(1, epochs * (len(x_train) // 64)))
    loss = "mse" if images else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=[] if images else ["accuracy"])
    for epoch in range(epochs):
        x = augmented(x_train, epoch) if workload.input_shape[0] == 3 else x_train
        model.fit(x, y_train, batch_size=64, epochs=1, verbose=0)
    arrays = folded(workload, model, scales(model, of_neurons, x_train[:1000]))
    set_weights(model, workload, arrays)
    result = model.evaluate(x_test, y_test, batch_size=500, verbose=0)
    np.savez_compressed(FOLDER / f"{workload.name}.npz", **{k: v.astype(np.float16) for k, v in arrays.items()})
    return f"mean squared error {result:.4f}" if images else f"{result[1]:.2%}"


def augmented(x: np.ndarray, seed: int) -> np.ndarray:
    """Mirrored and shifted by up to 4 pixels, at random."""
    rng = np.random.default_rng(seed)
    flipped = np.where(rng.random((len(x), 1, 1, 1)) < 0.5, x[:, :, ::-1], x)
    padded = np.pad(flipped, ((0, 0), (4, 4), (4, 4), (0, 0)))
    dy, dx = rng.integers(0, 9, (2, len(x)))
    return np.stack([image[a : a + 32, b : b + 32] for image, a, b in zip(padded, dy, dx, strict=True)])


def keras_model(workload: Workload) -> tuple[Any, dict[str, Any]]:
    """The network with Relu for neurons, after the convolutions of a residual network BatchNormalization; what neurons send."""
    normalised = any(layer.kind == "add" for layer in workload.layers)
    height_width_channels = (*workload.input_shape[1:], workload.input_shape[0])
    values = {"input": layers.Input(height_width_channels)}
    of_neurons = {}
    for layer in workload.layers:
        given = [values[name] for name in layer.inputs]
        padding = "valid" if layer.pads == (0, 0, 0, 0) else "same"
        shape = workload.shapes.get(layer.name, ())
        if layer.kind == "conv":
            padding = "same" if shape[2] == 1 else padding
            y = layers.Conv2D(shape[0], shape[2], strides=layer.stride, padding=padding, name=layer.name)(given[0])
            y = layers.BatchNormalization(name=f"{layer.name}_norm")(y) if normalised else y
        elif layer.kind == "conv_transpose":
            y = layers.Conv2DTranspose(shape[1], 3, strides=2, padding="same", name=layer.name)(given[0])
        elif layer.kind == "dense":
            y = layers.Dense(shape[0], name=layer.name)(given[0])
        elif layer.kind == "average_pool":
            y = layers.AveragePooling2D(layer.size)(given[0])
        elif layer.kind == "flatten":  # channels first
            y = layers.Flatten()(layers.Permute((3, 1, 2))(given[0]))
        elif layer.kind == "add":
            y = layers.Add()(given)
        else:
            y = of_neurons[layer.name] = layers.Activation("relu")(given[0])
        values[layer.name] = y
    return keras.Model(values["input"], y), of_neurons


def scales(model: Any, of_neurons: dict[str, Any], x: np.ndarray) -> dict[str, np.ndarray]:
    """What counts as 1 in each channel of what the neurons send."""
    found = keras.Model(model.inputs, list(of_neurons.values())).predict(x, batch_size=100, verbose=0)
    result = {}
    for name, y in zip(of_neurons, found if len(of_neurons) > 1 else [found], strict=True):
        top = np.percentile(y.reshape(-1, y.shape[-1]), PERCENTILE, axis=0)
        whole = float(np.percentile(y, PERCENTILE))
        result[name] = np.maximum(top, whole / 10)  # a channel that hardly speaks is not made loud
    return result


def folded(workload: Workload, model: Any, top: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights by name on the grid, in the order of ONNX, with BatchNormalization and all thresholds in them."""
    sent = {"input": np.ones(workload.input_shape[0])}  # how much a 1 of each value's channels stands for
    heights = {**top}
    arrays: dict[str, np.ndarray] = {}
    for layer in workload.layers:
        of = sent[layer.inputs[0]]
        if layer.kind in ("conv", "conv_transpose", "dense"):
            weights, bias = (array.astype(np.float64) for array in model.get_layer(layer.name).get_weights())
            target = heights.get(receiver(workload, layer.name), np.ones(1))
            if layer.kind == "dense":
                weights = weights.T * np.repeat(of, weights.shape[0] // len(of)) / target[:, None]
            elif layer.kind == "conv":
                weights = weights.transpose(3, 2, 0, 1)
                norm = [n for n in model.layers if n.name == f"{layer.name}_norm"]
                if norm:
                    gamma, beta, mean, variance = (a.astype(np.float64) for a in norm[0].get_weights())
                    factor = gamma / np.sqrt(variance + norm[0].epsilon)
                    weights, bias = weights * factor[:, None, None, None], (bias - mean) * factor + beta
                weights = weights * of[:, None, None] / target[:, None, None, None]
            else:  # Keras has [height, width, out, in], and steps through them as ONNX does
                weights = weights.transpose(3, 2, 0, 1) * of[:, None, None, None] / target[:, None, None]
            if layer is workload.layers[-1] and layer.kind == "dense":  # of scores only the largest matters
                target = np.full(len(bias), 2.0 ** max(0, np.ceil(np.log2(np.abs(weights).max() / MOST_WEIGHT))))
                weights = weights / target[:, None]
            arrays[f"{layer.name}.weights"], arrays[f"{layer.name}.bias"] = on_grid(weights), on_grid(bias / target)
        sent[layer.name] = top.get(layer.name, of)
    return arrays


def receiver(workload: Workload, name: str) -> str:
    """The neurons that a layer's result goes to; "" for the last layer."""
    for layer in workload.layers:
        if name in layer.inputs:
            return layer.name if layer.kind == "neuron" else receiver(workload, layer.name)
    return ""


def set_weights(model: Any, workload: Workload, arrays: dict[str, np.ndarray]) -> None:
    """The folded weights back into the Keras model, to see what they are worth."""
    for layer in workload.layers:
        if f"{layer.name}.weights" not in arrays:
            continue
        weights, bias = arrays[f"{layer.name}.weights"], arrays[f"{layer.name}.bias"]
        order = {"dense": (1, 0), "conv": (2, 3, 1, 0), "conv_transpose": (2, 3, 1, 0)}[layer.kind]
        model.get_layer(layer.name).set_weights([weights.transpose(order), bias])
        for norm in [n for n in model.layers if n.name == f"{layer.name}_norm"]:
            ones, zeros = np.ones(len(bias)), np.zeros(len(bias))
            norm.set_weights([ones, zeros, zeros, ones - norm.epsilon])


if __name__ == "__main__":
    main()
