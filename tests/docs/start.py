"""What the folder of a page holds before its first block runs: a function each, by the name in the page's comment."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime

from converter import Ann, convert, load_ann
from converter.demo import demo_samples
from tests.models import mlp, samples, save

CALIBRATION = 160
"""Samples in calibration.npz; enough to choose T on."""


def lenet(folder: Path) -> Ann:
    """model.onnx, the embedded LeNet-5, and its MNIST images: train.npz, test.npz (labelled), calibration.npz, x.npz (not)."""
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as source:
        shutil.copyfile(source, folder / "model.onnx")
    ann = load_ann(folder / "model.onnx")
    (train, y), (test, y_test) = (_images(ann, which) for which in ("calibration", "test"))
    arrays = {
        "train": {"x": train, "y": y},
        "test": {"x": test[:200], "y": y_test[:200]},
        "calibration": {"x": train[:CALIBRATION]},
        "x": {"x": test[:10]},
    }
    for name, content in arrays.items():
        np.savez(folder / f"{name}.npz", **content)
    return ann


def _images(ann: Ann, which: str) -> tuple[np.ndarray, np.ndarray]:
    images = demo_samples(which, ann.input_specs)
    (x,) = images.feed.values()
    return x, images.labels


def _converted(folder: Path, **options: object) -> None:
    ann = lenet(folder)
    x, _ = _images(ann, "calibration")
    convert(ann, x[:CALIBRATION], **options).save(folder / "model.snn.onnx")


def converted(folder: Path) -> None:
    """The same and model.snn.onnx."""
    _converted(folder, n_steps=3)


def stream(folder: Path) -> None:
    """The same, model.snn.onnx made for streaming."""
    _converted(folder, n_steps=8, streaming=True)


def lif(folder: Path) -> None:
    """model.onnx, a small network, model.snn.onnx with LIF neurons, samples with its own classes as labels."""
    trained = mlp()
    save(trained, folder / "model.onnx")
    ann = load_ann(folder / "model.onnx")
    for name, count in {"train": 160, "test": 40}.items():
        x = samples(trained, count, seed=count)
        (y,) = onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"x": x})
        np.savez(folder / f"{name}.npz", x=x, y=y.argmax(axis=1))
    convert(ann, x, n_steps=16, neuron="lif").save(folder / "model.snn.onnx")
