"""The weights of a model by the initialisers' names, and back into it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from converter.errors import RefusedError
from snn_ops.format import DOMAIN, N_STEPS, Metadata
from snn_ops.ops import OPERATORS


def weights_of(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All floating-point initialisers: weights, biases, thresholds, initial states."""
    arrays = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer if tensor.name != N_STEPS
    }
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}


def import_weights(proto: onnx.ModelProto, weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A copy of the model with these weights; those that are not named stay. What was measured with the old ones is left out.

    Raises:
        RefusedError: a name that the model does not have, another shape, NaN, infinity or what the model's type cannot hold,
            a threshold that is not above 0, or nothing to import.
    """
    if not weights:
        raise RefusedError("it holds no arrays")
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    tensors = {tensor.name: tensor for tensor in copy.graph.initializer}
    known, positive = weights_of(proto), thresholds_of(proto)
    for name, array in weights.items():
        if name not in known:
            raise RefusedError(
                f"it holds {name!r}, which the model does not have; the model has {_listed(list(known))}"
            )
        if array.shape != known[name].shape:
            raise RefusedError(f"{name!r} has the shape {list(array.shape)}, in the model {list(known[name].shape)}")
        if array.dtype.kind not in "fiu":
            raise RefusedError(f"{name!r} holds {array.dtype}, not numbers")
        with np.errstate(over="ignore"):
            new = array.astype(known[name].dtype)
        if not np.isfinite(new).all():
            raise RefusedError(f"{name!r} holds what is not a finite number in {new.dtype}")
        if name in positive and not (new > 0).all():
            raise RefusedError(f"{name!r} is a threshold or scale of neurons, which must be above 0")
        tensors[name].CopyFrom(numpy_helper.from_array(new, name))
    _drop_measurements(copy)
    return copy


def _drop_measurements(proto: onnx.ModelProto) -> None:
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    Metadata.read(properties).without_measurements().write(properties)
    onnx.helper.set_model_props(proto, properties)


def thresholds_of(proto: onnx.ModelProto) -> set[str]:
    """Initialisers that neurons divide by: thresholds and scales."""
    names = set()
    for node in proto.graph.node:
        if node.domain == DOMAIN and node.op_type in OPERATORS:
            operator = OPERATORS[node.op_type]
            above_0 = {parameter.name for parameter in operator.parameters if parameter.above_0}
            operands = zip(operator.inputs, node.input, strict=False)
            names |= {name for operand, name in operands if operand.name in above_0}
    return names


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
