"""Files for runtimes that cannot feed an input with a default: its value moves into the metadata, and back.

In ONNX an input has a default where an initializer of the same name stands beside it. ONNX Runtime lists such an input apart
from the others, and its JavaScript and Java interfaces take only what is listed as an input. So in such a file `n_steps`,
states and the like are plain inputs that every caller feeds, and what they were by default is `Metadata.defaults`. It needs
onnx; `snn_ops.Session` runs both forms without it.
"""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from snn_ops.format import PREFIX, FormatError, Metadata


def with_explicit_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which no input has a default; the metadata have them.

    Raises:
        ValueError: a default is of a type that metadata cannot hold, or infinite.
    """
    inputs = {value.name for value in model.graph.input}
    moved = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.name in inputs}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in moved]
    metadata = _metadata(model)
    return _copy(model, kept, metadata | Metadata(defaults={**metadata.defaults, **moved}))


def with_defaults(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which the inputs have the defaults that the metadata name; the metadata no longer do. Other models stay.

    Raises:
        FormatError: they name what is no input, or one that has a default, or another type than the input's.
    """
    metadata = _metadata(model)
    if not metadata.defaults:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    taken = {tensor.name for tensor in model.graph.initializer}
    tensors = [numpy_helper.from_array(array, name) for name, array in metadata.defaults.items()]
    for tensor in tensors:
        if types.get(tensor.name) != tensor.data_type or tensor.name in taken:
            raise FormatError(
                f"metadata {PREFIX}defaults: the model has no input {tensor.name!r} of that type without a default"
            )
    return _copy(model, [*model.graph.initializer, *tensors], metadata.without("defaults"))


def has_explicit_inputs(model: onnx.ModelProto) -> bool:
    """Whether the metadata have defaults of inputs."""
    return "defaults" in _metadata(model).texts()


def _metadata(model: onnx.ModelProto) -> Metadata:
    return Metadata.read({entry.key: entry.value for entry in model.metadata_props})


def _copy(model: onnx.ModelProto, initializers: list[onnx.TensorProto], metadata: Metadata) -> onnx.ModelProto:
    """The same model with these initialisers and metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(initializers)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    metadata.write(properties)
    onnx.helper.set_model_props(copy, properties)
    return copy
