"""The weights of a model as an `.npz` file, by the initialisers' names, and back into it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from converter.errors import RefusedError
from converter.model import write_bytes
from snn_ops.session import N_STEPS


def weights_of(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All floating-point initialisers: weights, biases, thresholds, initial states."""
    arrays = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer if tensor.name != N_STEPS
    }
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}


def write_weights(weights: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Writes an `.npz`, whole or not at all.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **weights)
    write_bytes(path, buffer.getvalue())


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Reads an `.npz`.

    Raises:
        RefusedError: no such file, or not an `.npz` of arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise RefusedError("there is no such file", file=path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, AttributeError, TypeError):
        raise RefusedError("not an .npz file with arrays; write one with `onnx-snn export npz`", file=path) from None


def import_weights(proto: onnx.ModelProto, weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A copy of the model with these weights; those that are not named stay.

    Raises:
        RefusedError: a name that the model does not have, another shape, NaN or infinity, or nothing to import.
    """
    if not weights:
        raise RefusedError("it holds no arrays")
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    tensors = {tensor.name: tensor for tensor in copy.graph.initializer}
    known = weights_of(proto)
    for name, array in weights.items():
        if name not in known:
            raise RefusedError(f"it holds {name!r}, which the model does not have; the model has {_few(list(known))}")
        if array.shape != known[name].shape:
            raise RefusedError(f"{name!r} has the shape {list(array.shape)}, in the model {list(known[name].shape)}")
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise RefusedError(f"{name!r} holds what is not a finite number")
        tensors[name].CopyFrom(numpy_helper.from_array(array.astype(known[name].dtype), name))
    return copy


def _few(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
