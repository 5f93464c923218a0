"""Paper 2: the auto-encoder on MNIST, converted, not trained again. ``python -m benchmarks.paper2_generation [--paper]``

SSIM (C1 = (0.01 L)^2, C2 = (0.03 L)^2) between Keras's images and those of the spiking networks, and the time, at n_steps 1,
15, 30, 45, 60: NengoDL with the converted weights (benchmarks/nengo_dl_converter.py) and ONNX-SNN in ONNX Runtime; at n_steps
45 the distribution of pixels and a grid of images. ``--paper`` takes 10 epochs and 10,000 images (NengoDL: `--nengo-samples`);
by default there are fewer. Needs scikit-image.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from skimage.metrics import structural_similarity

from benchmarks import datasets, keras_models, nengo_dl_converter
from benchmarks.machine import describe
from converter import convert
from converter.report.json_file import write_json
from snn_ops import Session

STEPS = (1, 15, 30, 45, 60)
SHOWN = 45
"""n_steps of the pictures and of the distribution of pixels."""
LEVELS = (0.0, 0.1, 0.5, 0.9, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paper", action="store_true", help="the paper's settings: 10 epochs, all images")
    parser.add_argument("--epochs", type=int, help="[default: 1]")
    parser.add_argument("--samples", type=int, help="test images [default: 200]")
    parser.add_argument("--train-samples", type=int, help="training images [default: 10,000; --paper: all]")
    parser.add_argument("--nengo-samples", type=int, default=100, help="test images that NengoDL runs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    epochs = arguments.epochs or (10 if arguments.paper else 1)
    samples = arguments.samples or (10_000 if arguments.paper else 200)
    of = arguments.train_samples or (60_000 if arguments.paper else 10_000)
    print(describe())
    print(
        f"Adam, learning rate 0.001, batch 128, {epochs} epochs of {of} images; NengoDL on {arguments.nengo_samples} images"
    )
    data = datasets.load("mnist")
    x_train, x_test = (
        np.moveaxis(a, 1, -1).astype(np.float32) / 255 for a in (data.x_train[:of], data.x_test[:samples])
    )
    result, kinds = compare(x_train, x_test, epochs, arguments.nengo_samples)
    for name in ("Keras", "NengoDL", "ONNX-SNN"):
        images = kinds[name]
        result[f"SSIM original - {name}"] = similarity(x_test[: len(images)], images)
        print(f"SSIM original - {name}, n_steps {SHOWN}: {result[f'SSIM original - {name}']:.4f}")
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


def compare(
    x_train: np.ndarray, x_test: np.ndarray, epochs: int, nengo_samples: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Trains the auto-encoder and runs it in Keras and, converted, in NengoDL and ONNX Runtime.

    Returns:
        SSIM and seconds, and the images by their kind: original, and of each way at `SHOWN` steps.
    """
    keras_models.keras.utils.set_random_seed(0)
    start = time.perf_counter()
    model = keras_models.fit(keras_models.autoencoder(), x_train, x_train, epochs=epochs, batch=128, learning_rate=1e-3)
    result: dict[str, Any] = {"training seconds": time.perf_counter() - start}
    model.predict(x_test[:128], verbose=0)
    start = time.perf_counter()
    of_keras = model.predict(x_test, batch_size=128, verbose=0)
    result["Keras seconds"] = time.perf_counter() - start
    print(
        f"trained in {result['training seconds']:.0f} s; Keras {result['Keras seconds']:.2f} s for {len(x_test)} images"
    )
    kinds = {"original": x_test, "Keras": of_keras}
    ann = keras_models.to_ann(model)
    for steps in STEPS:
        session = Session(convert(ann, x_train[:64], n_steps=steps, code="rate").proto(), n_steps=steps)
        session.run(x_test[:128])
        start = time.perf_counter()
        (spiking,) = session.run(x_test)
        spiking = spiking.reshape(of_keras.shape)
        ours = {"SSIM with Keras": similarity(of_keras, spiking), "seconds": time.perf_counter() - start}
        outputs, seconds = nengo_dl_converter.run(model, x_test[:nengo_samples], steps)
        of_nengo = outputs.reshape(-1, *of_keras.shape[1:])
        theirs = {
            "SSIM with Keras": similarity(of_keras[:nengo_samples], of_nengo),
            "seconds": seconds * len(x_test) / nengo_samples,
        }
        result[f"n_steps {steps}"] = {"ONNX-SNN": ours, "NengoDL": theirs}
        print(
            f"n_steps {steps:2}: ONNX-SNN SSIM {ours['SSIM with Keras']:.4f}, {ours['seconds']:.2f} s; "
            f"NengoDL SSIM {theirs['SSIM with Keras']:.4f}, {theirs['seconds']:.2f} s",
            flush=True,
        )
        if steps == SHOWN:
            kinds |= {"NengoDL": of_nengo, "ONNX-SNN": spiking}
    return result, kinds


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
