"""What an ONNX file claims about sizes and files, checked before anything is allocated, read or computed for it."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from converter.errors import RefusedError

MOST_ELEMENTS = 2**31
"""Of one value: a model that claims more is refused."""
MOST_CONSTANT_ELEMENTS = 2**28
"""Of a value that the model computes from constants alone: ONNX Runtime computes it when it loads the file."""
_SMALL = 1024
"""Elements that a tensor which says a shape may have, for shape inference."""
_PACKED: dict[int, int] = {
    TensorProto.INT4: 2,
    TensorProto.UINT4: 2,
    TensorProto.FLOAT4E2M1: 2,
    **{getattr(TensorProto, name): 4 for name in ("INT2", "UINT2") if hasattr(TensorProto, name)},
}
"""Elements in a byte."""
_FOLDED = frozenset("Add Cast Concat Constant Div Gather Identity Mul Reshape Slice Squeeze Sub Unsqueeze".split())
"""Operators that compute shapes; none makes many elements of few."""
_LISTS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def check_claims(proto: onnx.ModelProto, folder: Path) -> None:
    """Whether a model holds what it claims, and its external data are files in its folder.

    Args:
        proto: as read, without its external data.
        folder: of the file.

    Raises:
        RefusedError: it does not, or a node is none; the message names it.
    """
    if _has_name_that_is_no_text(proto):
        raise RefusedError("a name in it is no text; the file is damaged")
    for node in (*proto.graph.node, *(node for function in proto.functions for node in function.node)):
        if not node.op_type or not any(node.output):
            raise RefusedError("it has no operator or no output; the file is damaged", node=node.name or node.op_type)
    for tensor, in_function in _tensors(proto):
        _check_tensor(tensor)
        if tensor.data_location == TensorProto.EXTERNAL:
            if in_function:
                raise RefusedError(f"tensor {tensor.name!r} of a function has external data; export the model without")
            _check_external(tensor, folder)
    _check_sizes(proto)


def _has_name_that_is_no_text(proto: onnx.ModelProto) -> bool:
    """Whether a field of text holds bytes that are none, anywhere but in a comment."""
    waiting: list[Any] = [proto]
    found = False
    while waiting:
        for field, held in waiting.pop().ListFields():
            if field.type == field.TYPE_MESSAGE:
                waiting.extend([held] if hasattr(held, "ListFields") else held)
            elif field.type == field.TYPE_STRING and field.name != "doc_string":
                texts = [held] if isinstance(held, str | bytes) else held
                found = found or any(isinstance(text, bytes) for text in texts)
    return found


def _check_tensor(tensor: TensorProto) -> None:
    """Whether a tensor's data are as many as its shape says."""
    what = f"tensor {tensor.name!r} of the shape {list(tensor.dims)[:8]}"
    if any(length < 0 for length in tensor.dims):
        raise RefusedError(f"{what} has a negative length; the file is damaged")
    if tensor.data_type == TensorProto.UNDEFINED or tensor.data_type not in TensorProto.DataType.values():
        raise RefusedError(f"{what} has no known type of elements; the file is damaged")
    if tensor.HasField("segment"):
        raise RefusedError(f"{what} lies in segments, which nothing reads; export the model again")
    elements = math.prod(tensor.dims)
    if tensor.data_location == TensorProto.EXTERNAL:
        return
    if tensor.HasField("raw_data"):
        fits = len(tensor.raw_data) == bytes_of(tensor) and tensor.data_type != TensorProto.STRING
    else:
        held = sum(len(getattr(tensor, name)) for name in _LISTS)
        if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
            elements *= 2
        fits = held == -(-elements // _PACKED.get(tensor.data_type, 1))
    if not fits:
        raise RefusedError(f"{what} does not hold as many numbers as that; the file is damaged")


def bytes_of(tensor: TensorProto) -> int:
    """How many bytes a tensor's elements take, by its shape and type."""
    elements = math.prod(tensor.dims)
    if tensor.data_type in _PACKED:
        return -(-elements // _PACKED[tensor.data_type])
    return elements * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize


def _check_external(tensor: TensorProto, folder: Path) -> None:
    """Whether external data are a part of an ordinary file inside the model's folder, as large as the tensor."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    what = f"tensor {tensor.name!r} has its data in {location[:200]!r}"
    path = folder / location
    if not location or "\0" in location or Path(location).is_absolute() or "\\" in location or ".." in path.parts:
        raise RefusedError(f"{what}, which is no file inside the model's folder; put it there and name it so")
    try:
        inside = path.resolve(strict=True).is_relative_to(folder.resolve())
        about = path.stat()
    except FileNotFoundError:
        raise RefusedError(
            f"its external data cannot be read (there is no file {location[:200]!r}); put those files beside the model"
        ) from None
    except (OSError, RuntimeError) as error:
        raise RefusedError(f"{what}: its external data cannot be read ({error})") from None
    if not inside:
        raise RefusedError(f"{what}, which leads out of the model's folder; put the file itself there")
    if not stat.S_ISREG(about.st_mode):
        raise RefusedError(f"{what}, which is no ordinary file")
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(bytes_of(tensor))))
    except ValueError:
        raise RefusedError(f"{what}, at no number; the file is damaged") from None
    if offset < 0 or length != bytes_of(tensor) or offset + length > about.st_size:
        raise RefusedError(
            f"{what}: {length} bytes from {offset} on, of {about.st_size}, for a tensor of {bytes_of(tensor)}; it is damaged"
        )


def _tensors(proto: onnx.ModelProto) -> Iterator[tuple[TensorProto, bool]]:
    """All tensors of a model, and whether they are part of a function."""
    graphs, nodes = [proto.graph], [(node, True) for function in proto.functions for node in function.node]
    for training in proto.training_info:
        graphs += [training.initialization, training.algorithm]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from ((tensor, False) for tensor in graph.initializer)
            for sparse in graph.sparse_initializer:
                yield from ((sparse.values, False), (sparse.indices, False))
            nodes += [(node, False) for node in graph.node]
            continue
        node, in_function = nodes.pop()
        for attribute in node.attribute:
            held = [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]
            sparse_held = [*attribute.sparse_tensors]
            sparse_held += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            held += [tensor for each in sparse_held for tensor in (each.values, each.indices)]
            yield from ((tensor, in_function) for tensor in held)
            inner = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
            if in_function:
                nodes += [(each, True) for graph in inner for each in graph.node]
                yield from ((tensor, True) for graph in inner for tensor in graph.initializer)
            else:
                graphs += inner


def _check_sizes(proto: onnx.ModelProto) -> None:
    """Whether no value is too large, as far as shape inference tells from the file."""
    model = onnx.ModelProto(ir_version=max(proto.ir_version, 4))
    model.opset_import.extend(proto.opset_import)
    model.functions.extend(proto.functions)
    graph = model.graph
    graph.name = "sizes"
    graph.output.extend(proto.graph.output)
    defaults = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in defaults]
    graph.input.extend(inputs)
    for tensor in proto.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL and math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    _add_folded(proto, graph)
    try:
        # without data_prop, which allocates what a shape says in onnx 1.23
        inferred = onnx.shape_inference.infer_shapes(model).graph
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError, MemoryError):
        inferred = graph  # whatever is wrong, or larger than 2 GB: ONNX Runtime says it
    free = {value.name for value in inputs}
    makers = {}
    for node in inferred.node:
        makers.update(dict.fromkeys(node.output, node))
        if any(name in free for name in node.input) or any(a.HasField("g") or a.graphs for a in node.attribute):
            free.update(node.output)
    for value in (*inferred.value_info, *inferred.output, *inputs):
        dims = value.type.tensor_type.shape.dim
        elements = math.prod(max(dim.dim_value, 1) for dim in dims)
        most = MOST_ELEMENTS if value.name in free else MOST_CONSTANT_ELEMENTS
        if elements > most and value.name not in defaults:
            made = makers.get(value.name)
            place = f"{made.op_type} makes" if made is not None else "the file declares"
            lengths = [dim.dim_value or "any" for dim in dims][:8]
            raise RefusedError(
                f"{place} {value.name!r} of {elements:.3g} elements, {lengths}; more than {most:.3g} are refused",
                node=(made.name or made.output[0]) if made is not None else None,
            )


def _add_folded(proto: onnx.ModelProto, graph: onnx.GraphProto) -> None:
    """Adds the nodes of a model; those that compute a few numbers from a few constants as initialisers."""
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in proto.graph.node:
        inputs = [name for name in node.input if name]
        folded = None
        if node.domain == "" and node.op_type in _FOLDED and all(name in known for name in inputs):
            folded = _fold(node, [known[name] for name in inputs], proto.opset_import)
        if folded is None:
            graph.node.append(node)
        else:
            known[folded.name] = folded
            graph.initializer.append(folded)


def _fold(
    node: onnx.NodeProto, inputs: Sequence[TensorProto], opsets: Sequence[onnx.OperatorSetIdProto]
) -> TensorProto | None:
    """The one output of a node with these constants as inputs; None where it has none or it is not small."""
    graph = onnx.helper.make_graph([node], "fold", [], [onnx.ValueInfoProto(name=node.output[0])], list(inputs))
    try:
        model = onnx.helper.make_model(graph, opset_imports=opsets)
        (array,) = map(np.asarray, ReferenceEvaluator(model).run(None, {}))
        tensor = onnx.numpy_helper.from_array(array, node.output[0])
    except Exception:  # whatever is wrong with a file's node: ONNX Runtime says it
        return None
    return tensor if math.prod(tensor.dims) <= _SMALL else None
