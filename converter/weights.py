"""The weights of a model by the initialisers' names, and back into it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from converter.errors import RefusedError
from snn_ops.session import N_STEPS


def weights_of(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All floating-point initialisers: weights, biases, thresholds, initial states."""
    arrays = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer if tensor.name != N_STEPS
    }
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}


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
