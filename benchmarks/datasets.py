"""MNIST, Fashion-MNIST and CIFAR-10 as ``tools/fetch_datasets.sh`` fetches them.

The folder is named by ``ONNX_SNN_DATA``, ``.data`` if unset.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np


@dataclass(frozen=True)
class Dataset:
    """uint8 images, NCHW, and int64 labels."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def folder() -> Path:
    return Path(os.environ.get("ONNX_SNN_DATA", ".data"))


def load(name: str) -> Dataset:
    """Loads "mnist", "fashion" or "cifar10".

    Raises:
        FileNotFoundError: it was not fetched.
    """
    return {"mnist": _mnist, "fashion": _fashion, "cifar10": _cifar10}[name]()


def _mnist() -> Dataset:
    return _idx_dataset("mnist")


def _fashion() -> Dataset:
    return _idx_dataset("fashion")


def _idx_dataset(name: str) -> Dataset:
    def read(file: str) -> np.ndarray:
        return _read_idx(_find(name, file))

    return Dataset(
        read("train-images-idx3-ubyte")[:, None],
        read("train-labels-idx1-ubyte").astype(np.int64),
        read("t10k-images-idx3-ubyte")[:, None],
        read("t10k-labels-idx1-ubyte").astype(np.int64),
    )


def _cifar10() -> Dataset:
    def images(file: str) -> np.ndarray:
        pixels = matplotlib.image.imread(_find("cifar10", file))[..., :3]
        return (pixels * 255).round().astype(np.uint8).reshape(10000, 32, 32, 3).transpose(0, 3, 1, 2)

    def labels(file: str) -> np.ndarray:
        return np.asarray(json.loads(_find("cifar10", file).read_text()), np.int64)

    return Dataset(
        np.concatenate([images(f"data_batch_{i}") for i in range(1, 6)]),
        labels("train_lables.json"),
        images("test_batch"),
        labels("test_lables.json"),
    )


def _find(name: str, stem: str) -> Path:
    found = sorted((folder() / name).rglob(f"{stem}*")) if (folder() / name).is_dir() else []
    if not found:
        raise FileNotFoundError(
            f"{name}: no {stem} below {folder() / name}; run tools/fetch_datasets.sh {folder()} {name}"
        )
    return found[0]


def _read_idx(path: Path) -> np.ndarray:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    (magic,) = struct.unpack(">I", data[:4])
    shape = struct.unpack(f">{magic & 255}I", data[4 : 4 + 4 * (magic & 255)])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
