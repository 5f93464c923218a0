"""The Open Inference Protocol, version 2: messages with tensors as JSON or as binary data. Knows no model and no network.

https://github.com/kserve/open-inference-protocol and, for binary tensors, the extension "binary_tensor_data" of NVIDIA's
Triton.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snn_ops.feed import as_type, first_not_finite

JSON_BYTES = 8 << 20
"""Of JSON that is read: what takes more is sent as binary data, which is read a hundred times as fast."""
DATATYPES: dict[str, np.dtype] = {
    "BOOL": np.dtype(np.bool_),
    **{f"{kind.upper()}{bits}": np.dtype(f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
}
"""The protocol's words for types of numbers."""
TEXT = "BYTES"
"""The protocol's word for text, which only outputs may be."""
_WORDS = {dtype: word for word, dtype in DATATYPES.items()}
_LONGEST_ID = 256
_SHOWN = 60
"""Characters of what a client sent that an error repeats."""


class RequestError(Exception):
    """A request that is not answered with tensors.

    Attributes:
        status: of HTTP.
        text: what the client reads, a line.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True)
class TensorSpec:
    """An input, an output or a state.

    Attributes:
        name: its name.
        datatype: in the protocol's words.
        shape: lengths; -1 is any. Axis 0 holds the samples, but for a state that is one number.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def described(self) -> dict[str, Any]:
        """As metadata of a model have it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Wanted:
    """An output to send: its name, and whether as binary data."""

    name: str
    binary: bool


@dataclass(frozen=True)
class Message:
    """What a client sent, its tensors not read yet.

    Attributes:
        id: the client's own, which the answer repeats.
        parameters: of the request.
        entries: the JSON object.
        binary: the bytes after it.
    """

    id: str | None
    parameters: Mapping[str, Any]
    entries: Mapping[str, Any]
    binary: memoryview = field(repr=False)


def datatype_of(dtype: np.dtype | None) -> str | None:
    """The protocol's word for a type of numbers; None: it has none."""
    return None if dtype is None else _WORDS.get(dtype)


def read_message(body: bytes, header_length: int | None = None) -> Message:
    """A message: JSON, and binary data after it.

    Args:
        body: all of it.
        header_length: bytes of the JSON; None: all are.

    Raises:
        RequestError: it is no JSON object, too large, or the length is wrong.
    """
    size = len(body) if header_length is None else header_length
    if not 0 <= size <= len(body):
        raise RequestError(400, f"the JSON shall have {size} bytes, the message has {len(body)}")
    if size > JSON_BYTES:
        raise RequestError(413, json_too_large(size))
    try:
        entries = json.loads(body[:size])
    except (ValueError, RecursionError):
        raise RequestError(400, "the request is no JSON") from None
    if not isinstance(entries, dict):
        raise RequestError(400, "the request is no JSON object")
    identity, parameters = entries.get("id"), entries.get("parameters", {})
    if identity is not None and (not isinstance(identity, str) or len(identity) > _LONGEST_ID):
        raise RequestError(400, f"`id` must be text of at most {_LONGEST_ID} characters")
    if not isinstance(parameters, dict):
        raise RequestError(400, "`parameters` must be an object")
    return Message(identity, parameters, entries, memoryview(body)[size:])


def json_too_large(size: int) -> str:
    """What a client reads that sends so many bytes of JSON."""
    return f"{size} bytes of JSON are more than {JSON_BYTES}; send tensors as binary data"


def read_tensors(
    message: Message, key: str, specs: Sequence[TensorSpec], most_samples: int, *, may_be_none: bool = False
) -> dict[str, np.ndarray]:
    """The tensors of a message, in the order of `specs`.

    Args:
        message: with a list of tensors, and their binary data in the same order.
        key: of the list.
        specs: what there must be.
        most_samples: the largest length of axis 0.
        may_be_none: an empty list is right, too.

    Raises:
        RequestError: one is missing, unknown, twice there, of another type or shape, cut off, or holds what is no number.
    """
    entries = message.entries.get(key)
    if not isinstance(entries, list):
        raise RequestError(400, f"`{key}` must be a list of tensors")
    if not entries and may_be_none:
        return {}
    by_name, found, start = {spec.name: spec for spec in specs}, {}, 0
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        spec = by_name.get(name) if isinstance(name, str) else None
        if spec is None:
            raise RequestError(400, f"{_shown(name)} is none of {key}, which are {list(by_name)}")
        if spec.name in found:
            raise RequestError(400, f"{key} has {_shown(name)} twice")
        shape = _checked_shape(entry, spec, most_samples)
        size = _parameters(entry).get("binary_data_size")
        if size is None:
            array = _from_json(entry.get("data"), spec, shape)
        else:
            array = _from_bytes(message.binary, start, size, spec, shape)
            start += size
        bad = first_not_finite(array)
        if bad is not None:
            raise RequestError(400, f"{_shown(name)} holds NaN or infinity, first in sample {bad}")
        found[spec.name] = array
    missing = [name for name in by_name if name not in found]
    if missing:
        raise RequestError(400, f"{key} has no {_shown(missing[0])}; it needs {list(by_name)}")
    if start != len(message.binary):
        raise RequestError(400, f"{len(message.binary)} bytes of binary data, the tensors take {start}")
    _check_samples(found)
    return {name: found[name] for name in by_name}


def _check_samples(arrays: Mapping[str, np.ndarray]) -> None:
    counts = {name: len(array) for name, array in arrays.items() if array.ndim}
    if len(set(counts.values())) > 1:
        raise RequestError(400, f"the tensors have different numbers of samples: {counts}")


def _checked_shape(entry: Mapping[str, Any], spec: TensorSpec, most_samples: int) -> tuple[int, ...]:
    if entry.get("datatype") != spec.datatype:
        raise RequestError(400, f"{_shown(spec.name)} is {spec.datatype}, not {_shown(entry.get('datatype'))}")
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(type(length) is int and length >= 0 for length in shape):
        raise RequestError(400, f"`shape` of {_shown(spec.name)} must be a list of lengths")
    fits = len(shape) == len(spec.shape) and all(b in (-1, a) and a > 0 for a, b in zip(shape, spec.shape, strict=True))
    if not fits:
        raise RequestError(400, f"{_shown(spec.name)} has the shape {_shown(shape)}, it needs {list(spec.shape)}")
    if shape and shape[0] > most_samples:
        raise RequestError(400, f"{shape[0]} samples are more than the {most_samples} that a request may have")
    return tuple(shape)


def _from_json(data: object, spec: TensorSpec, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(data, list):
        raise RequestError(400, f"{_shown(spec.name)} has neither `data` nor `binary_data_size`")
    try:
        array = np.asarray(data)
    except ValueError:
        raise RequestError(
            400, f"`data` of {_shown(spec.name)} is no array: its lists have different lengths"
        ) from None
    dtype = DATATYPES[spec.datatype]
    if (array.dtype.kind == "b") != (dtype.kind == "b") or array.dtype.kind not in "fiub":
        raise RequestError(400, f"`data` of {_shown(spec.name)} must be numbers of {spec.datatype}")
    if array.size != math.prod(shape) or (array.ndim != 1 and array.shape != shape):
        raise RequestError(400, f"`data` of {_shown(spec.name)} is {list(array.shape)}, its `shape` says {list(shape)}")
    array = array.reshape(shape)
    if first_not_finite(array) is not None:
        return array  # whoever called says so
    try:
        return as_type(array, dtype, spec.name)
    except ValueError as error:
        raise RequestError(400, str(error)) from None


def _from_bytes(binary: memoryview, start: int, size: object, spec: TensorSpec, shape: tuple[int, ...]) -> np.ndarray:
    dtype = DATATYPES[spec.datatype]
    wanted = math.prod(shape) * dtype.itemsize
    if type(size) is not int or size != wanted:
        raise RequestError(400, f"`binary_data_size` of {_shown(spec.name)} must be {wanted}, it is {_shown(size)}")
    data = binary[start : start + wanted]
    if len(data) < wanted:
        raise RequestError(400, f"the binary data of {_shown(spec.name)} are cut off: {len(data)} bytes of {wanted}")
    if dtype.kind == "b" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise RequestError(400, f"{_shown(spec.name)} must hold bytes 0 and 1")
    array = np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape)
    return np.require(array.astype(dtype, copy=False), requirements=["A", "C"])


def read_outputs(message: Message, names: Sequence[str], *, binary: bool = False) -> list[Wanted]:
    """The outputs that a message asks for; all where it names none.

    Args:
        message: with or without a list ``outputs``.
        names: of the model's outputs.
        binary: as which they are sent where the message does not say it.

    Raises:
        RequestError: no such output, or something that is not offered.
    """
    binary = _flag(message.parameters.get("binary_data_output", binary), "binary_data_output")
    entries = message.entries.get("outputs")
    if entries is None or entries == []:
        return [Wanted(name, binary) for name in names]
    if not isinstance(entries, list):
        raise RequestError(400, "`outputs` must be a list")
    wanted: list[Wanted] = []
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name not in names or name in [each.name for each in wanted]:
            raise RequestError(400, f"{_shown(name)} is none of the outputs, or there twice; they are {list(names)}")
        parameters = _parameters(entry)
        if parameters.get("classification"):
            raise RequestError(400, "classification is not offered; ask for the output itself")
        wanted.append(Wanted(name, _flag(parameters.get("binary_data", binary), "binary_data")))
    return wanted


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError(400, "`parameters` must be an object")
    return parameters


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise RequestError(400, f"`{name}` must be true or false")
    return value


def write_message(
    entries: Mapping[str, Any], key: str, tensors: Sequence[tuple[Wanted, np.ndarray]]
) -> tuple[bytes, int | None]:
    """A message, and how many bytes its JSON has where binary data follow.

    Args:
        entries: its other entries; those that are None are left out.
        key: of the list of tensors.
        tensors: to write.

    Raises:
        RequestError: a tensor that JSON shall carry holds NaN or infinity.
    """
    described, parts = [], []
    for wanted, array in tensors:
        is_text = array.dtype.kind in "OSU"
        entry: dict[str, Any] = {
            "name": wanted.name,
            "datatype": TEXT if is_text else _WORDS[array.dtype],
            "shape": list(array.shape),
        }
        if wanted.binary:
            data = _packed(array) if is_text else array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
            entry["parameters"] = {"binary_data_size": len(data)}
            parts.append(data)
        else:
            if not is_text and first_not_finite(array) is not None:
                text = f"output {wanted.name!r} holds NaN or infinity, which JSON does not have; ask for binary data"
                raise RequestError(422, text)
            values = array.reshape(-1).tolist()
            entry["data"] = [each.decode() if isinstance(each, bytes) else each for each in values]
        described.append(entry)
    given = {name: value for name, value in entries.items() if value is not None}
    header = json.dumps({**given, key: described}, separators=(",", ":")).encode()
    return (b"".join([header, *parts]), len(header)) if parts else (header, None)


def _packed(array: np.ndarray) -> bytes:
    """Text as binary data: its length, 4 bytes, before each."""
    texts = [each if isinstance(each, bytes) else str(each).encode() for each in array.reshape(-1).tolist()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _shown(value: object) -> str:
    """Of what a client sent."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
