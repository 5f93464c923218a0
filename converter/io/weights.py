"""The weights of a model by the initialisers' names, and back into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import onnx
import onnx.shape_inference
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

    An initial state, such as a voltage, may have another shape than the model's: a value for each neuron or channel, or one.

    Raises:
        RefusedError: a name that the model does not have, a shape that does not fit, NaN, infinity or what the model's type
            cannot hold, a threshold that is not above 0, or nothing to import.
    """
    if not weights:
        raise RefusedError("it holds no arrays")
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    tensors = {tensor.name: tensor for tensor in copy.graph.initializer}
    known, positive, neurons = weights_of(proto), thresholds_of(proto), _neurons_of_states(proto)
    for name, array in weights.items():
        if name not in known:
            raise RefusedError(
                f"it holds {name!r}, which the model does not have; the model has {_listed(list(known))}"
            )
        if name in neurons:
            array = _fitting(name, array, neurons[name])
        elif array.shape != known[name].shape:
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
        if name in neurons:
            _declare(copy.graph, tensors[name])
    _drop_measurements(copy)
    return copy


Lengths = tuple[int | None, ...]
"""Of the axes of a node's neurons, ``[B, ...]``; None: not known."""


def _neurons_of_states(proto: onnx.ModelProto) -> dict[str, list[Lengths]]:
    """Initial states by the initialisers' names: the neurons of the nodes that begin with it."""
    states = {tensor.name for tensor in proto.graph.initializer}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in proto.graph.node:
        if node.domain == DOMAIN and node.op_type in OPERATORS:
            values = {value.name for value in OPERATORS[node.op_type].values}
            operands = zip(OPERATORS[node.op_type].inputs, node.input, strict=False)
            for name in (name for operand, name in operands if operand.name in values and name in states):
                users.setdefault(name, []).append(node)
    shapes = _shapes(proto)
    if any(node.input[0] not in shapes for nodes in users.values() for node in nodes):
        with suppress(onnx.shape_inference.InferenceError, ValueError):  # or the model is larger than 2 GB
            shapes = _shapes(onnx.shape_inference.infer_shapes(proto, data_prop=True)) | shapes
    known = {name: nodes for name, nodes in users.items() if all(node.input[0] in shapes for node in nodes)}
    return {name: [shapes[node.input[0]] for node in nodes] for name, nodes in known.items()}


def _shapes(proto: onnx.ModelProto) -> dict[str, Lengths]:
    """Those that the model declares."""
    values = (*proto.graph.input, *proto.graph.value_info)
    types = {value.name: value.type.tensor_type for value in values if value.type.tensor_type.HasField("shape")}
    return {
        name: tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
        for name, kind in types.items()
    }


def _fitting(name: str, array: np.ndarray, neurons: Sequence[Lengths]) -> np.ndarray:
    """An initial state that broadcasts against all of these neurons, and is the same for all samples.

    Raises:
        RefusedError: it does not.
    """
    for lengths in neurons:
        of_a_sample = lengths[1:]
        shape = (1,) * (len(lengths) - array.ndim) + array.shape
        fits = len(shape) == len(lengths) and shape[0] == 1
        if not fits or any(n not in (1, m) and m is not None for n, m in zip(shape[1:], of_a_sample, strict=True)):
            listed = ", ".join("?" if length is None else str(length) for length in of_a_sample)
            raise RefusedError(
                f"{name!r} has the shape {list(array.shape)}, the neurons that begin with it [{listed}]; give one value, "
                "one for each neuron, or what broadcasts against them"
            )
    return array


def _declare(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
    """Makes the shape of an initial state that of its numbers; the input of a stream keeps its rank and its free axes."""
    for value in graph.value_info:
        if value.name == tensor.name:
            value.CopyFrom(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for value in graph.input:
        if value.name == tensor.name:
            dims = value.type.tensor_type.shape.dim
            lengths = [1] * (len(dims) - len(tensor.dims)) + list(tensor.dims)
            names = [dim.dim_param or f"{tensor.name}_{axis}" for axis, dim in enumerate(dims)]
            free = [length if length > 1 else name for length, name in zip(lengths, names, strict=True)]
            value.CopyFrom(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, free))
            del tensor.dims[:]
            tensor.dims.extend(lengths)


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
