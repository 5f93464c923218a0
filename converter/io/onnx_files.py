"""ONNX files, read with their external data and written whole."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from converter.errors import RefusedError, concerning
from converter.io.claims import check_claims
from converter.io.files import write_whole
from snn_ops.format import DOMAIN


def read_proto(path: str | Path) -> onnx.ModelProto:
    """Reads an ONNX file, with its external data.

    Raises:
        RefusedError: no file, not an ONNX model, truncated, external data missing or outside its folder, or sizes that are not
            true or too large.
    """
    path = Path(path)
    proto = read_without_data(path)
    try:
        onnx.load_external_data_for_model(proto, str(path.parent))
    except (FileNotFoundError, onnx.checker.ValidationError, ValueError, OSError) as error:
        raise RefusedError(
            f"its external data cannot be read ({error}); put those files beside the model", file=path
        ) from None
    return proto


def read_without_data(path: Path) -> onnx.ModelProto:
    """The same without its external data, which are there and inside the folder.

    Raises:
        RefusedError: as `read_proto`.
    """
    if not path.is_file():
        what = (
            "this is a folder, but no SavedModel: it has no saved_model.pb"
            if path.is_dir()
            else "there is no such file"
        )
        raise RefusedError(what, file=path)
    try:
        proto = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise RefusedError("not an ONNX model, or the file is truncated; export it again", file=path) from None
    if not proto.ir_version or not proto.graph.node:
        raise RefusedError("not an ONNX model: it holds no graph", file=path)
    with concerning(path):
        check_claims(proto, path.parent)
    return proto


def external_files(proto: onnx.ModelProto) -> set[str]:
    """The names of the files with a model's external data, from its folder on."""
    tensors = [*proto.graph.initializer]
    nodes = [*proto.graph.node]
    while nodes:
        for attribute in nodes.pop().attribute:
            tensors += [attribute.t, *attribute.tensors]
            for graph in (attribute.g, *attribute.graphs):
                tensors += graph.initializer
                nodes += graph.node
    return {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}


def holds_operators(proto: onnx.ModelProto) -> bool:
    """Whether it is a spiking model: it has a node of our domain. An import alone says nothing: a process in which our library
    is registered writes it into every model that ONNX Runtime optimises there."""
    graphs = [proto.graph.node, *(function.node for function in proto.functions if function.domain != DOMAIN)]
    while graphs:
        for node in graphs.pop():
            if node.domain == DOMAIN:
                return True
            graphs.extend(a.g.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH)
    return False


def write_model(proto: onnx.ModelProto, path: str | Path) -> None:
    """Writes an ONNX file, whole or not at all.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    write_whole(path, proto.SerializeToString())


def size_on_disk(path: str | Path) -> int:
    """Bytes of a model's file or folder, and of an ONNX model's external data."""
    path = Path(path)
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    try:
        tensors = onnx.load(path, load_external_data=False).graph.initializer
    except DecodeError:  # of another framework
        return path.stat().st_size
    entries = [entry for tensor in tensors for entry in tensor.external_data if entry.key == "location"]
    return path.stat().st_size + sum((path.parent / name).stat().st_size for name in {entry.value for entry in entries})
