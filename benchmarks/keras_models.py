"""The networks of both papers in Keras 2, as NengoDL needs it; and training them. Needs onnx-snn[nengo].

LeNet-1, LeNet-4 and LeNet-5 follow Y. LeCun et al. (1998), with average pooling.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from converter.nengo.dl.shim import import_nengo_dl
from converter.normalise.ann import Ann, load_ann

import_nengo_dl()

import tensorflow as tf

keras = tf.keras
layers = keras.layers
LENETS = ("LeNet-1", "LeNet-4", "LeNet-5")


def lenet(name: str, activation: str) -> Any:
    """Of 28x28 images, logits of 10 classes."""
    filters, dense, padding = {
        "LeNet-1": ((4, 12), (), "valid"),
        "LeNet-4": ((4, 16), (120,), "same"),
        "LeNet-5": ((6, 16), (120, 84), "same"),
    }[name]
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(filters[0], 5, padding=padding, activation=activation),
            layers.AveragePooling2D(2),
            layers.Conv2D(filters[1], 5, activation=activation),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            *(layers.Dense(n, activation=activation) for n in dense),
            layers.Dense(10),
        ]
    )


def mlp() -> Any:
    """Paper 2: dense 32, 64, 128, 10. Its softmax is in the loss."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),
            *(layers.Dense(n, activation="relu") for n in (32, 64, 128)),
            layers.Dense(10),
        ]
    )


def cnn() -> Any:
    """Paper 2: 3x3 convolutions with 32, 64, 128 filters and strides 1, 2, 2, no padding; dense 10."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            *(
                layers.Conv2D(filters, 3, strides=strides, activation="relu")
                for filters, strides in ((32, 1), (64, 2), (128, 2))
            ),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def autoencoder() -> Any:
    """Paper 2: convolutions 64, 32 and transposed convolutions 32, 64 with stride 2, convolution 1, sigmoid."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            *(layers.Conv2D(n, 3, strides=2, padding="same", activation="relu") for n in (64, 32)),
            *(layers.Conv2DTranspose(n, 3, strides=2, padding="same", activation="relu") for n in (32, 64)),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def fit(model: Any, x: np.ndarray, y: np.ndarray, *, epochs: int, batch: int, learning_rate: float) -> Any:
    """Adam; labels: cross-entropy; images: mean squared error. The learning rate falls to 0 along a cosine."""
    steps = epochs * (len(x) // batch)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if y.ndim == 1 else "mse"
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    return model


def to_ann(model: Any) -> Ann:
    """Through a file, as users do."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return load_ann(path)
