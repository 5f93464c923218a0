"""Paper 2: the auto-encoder on MNIST, converted, not trained again. ``python -m benchmarks.paper2_generation [--paper]``

Images of Keras and of the spiking network at n_steps 45: SSIM (C1 = (0.01 L)^2, C2 = (0.03 L)^2), the distribution of pixels,
and a grid of original, Keras's and spiking images. ``--paper`` takes 10 epochs and 10,000 images; by default there are fewer.
Needs scikit-image.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from skimage.metrics import structural_similarity

from benchmarks import datasets, keras_models
from benchmarks.machine import describe
from converter import convert
from converter.report.json_file import write_json
from snn_ops import Session

STEPS = 45
LEVELS = (0.0, 0.1, 0.5, 0.9, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paper", action="store_true", help="the paper's settings: 10 epochs, all images")
    parser.add_argument("--epochs", type=int, help="[default: 1]")
    parser.add_argument("--samples", type=int, help="test images [default: 200]")
    parser.add_argument("--train-samples", type=int, help="training images [default: 10,000; --paper: all]")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    epochs = arguments.epochs or (10 if arguments.paper else 1)
    samples = arguments.samples or (10_000 if arguments.paper else 200)
    of = arguments.train_samples or (60_000 if arguments.paper else 10_000)
    print(describe())
    print(f"Adam, learning rate 0.001, batch 128, {epochs} epochs of {of} images; n_steps {arguments.steps}")
    data = datasets.load("mnist")
    x_train, x_test = (
        np.moveaxis(a, 1, -1).astype(np.float32) / 255 for a in (data.x_train[:of], data.x_test[:samples])
    )
    keras_models.keras.utils.set_random_seed(0)
    model = keras_models.fit(keras_models.autoencoder(), x_train, x_train, epochs=epochs, batch=128, learning_rate=1e-3)
    of_keras = model.predict(x_test, batch_size=128, verbose=0)
    conversion = convert(keras_models.to_ann(model), x_train[:64], n_steps=arguments.steps)
    (spiking,) = Session(conversion.proto(), n_steps=arguments.steps).run(x_test)
    kinds = {"original": x_test, "Keras": of_keras, "ONNX-SNN": spiking.reshape(of_keras.shape)}
    result: dict[str, Any] = {
        f"SSIM {a} - {b}": similarity(kinds[a], kinds[b])
        for a, b in (("Keras", "ONNX-SNN"), ("original", "Keras"), ("original", "ONNX-SNN"))
    }
    for name, value in result.items():
        print(f"{name}: {value:.4f}")
    edges = ", ".join(f"[{a}, {b})" for a, b in itertools.pairwise(LEVELS))
    print(f"share of pixels in {edges}")
    for name, images in kinds.items():
        shares = np.histogram(images.clip(0, 1), LEVELS)[0] / images.size
        result[f"pixels {name}"] = shares.tolist()
        print(f"{name:10}" + " ".join(f"{share:7.2%}" for share in shares))
    if arguments.json:
        write_json({"machine": describe(), "epochs": epochs, "samples": samples, **result}, arguments.json)
    if arguments.picture:
        grid(kinds, arguments.picture)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """The mean SSIM of pairs of images, L = 1."""
    pairs = zip(a[..., 0], b[..., 0], strict=True)
    return float(np.mean([structural_similarity(p, q, data_range=1.0, K1=0.01, K2=0.03) for p, q in pairs]))


def grid(kinds: dict[str, np.ndarray], path: Path, columns: int = 10) -> None:
    """A row for each kind."""
    figure = Figure(figsize=(columns, len(kinds) + 0.2))
    for row, (name, images) in enumerate(kinds.items()):
        for column in range(columns):
            axes = figure.add_subplot(len(kinds), columns, row * columns + column + 1)
            axes.imshow(images[column, ..., 0], cmap="gray", vmin=0, vmax=1)
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(name)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
