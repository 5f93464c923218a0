"""The model file: names, versions and metadata on which readers and writers of a `.snn.onnx` file agree (docs/format.md)."""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import partial
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

DOMAIN = "onnx_snn"
OPSET_VERSION = 2
"""The newest version of the domain: streams that do not end stay true in it. A file that imports an older one keeps that one's
operators."""
LOWEST_OPSET_VERSION = 1
"""The version that models for runs of some thousand steps import: no state has a base."""
FORMAT_VERSION = 1
"""The newest version of the file format that this release reads. It rises only when an older reader would compute something
else from a file; a key or a field that is new does not raise it."""
LOWEST_ONNX_OPSET = 18
"""The oldest opset of the standard domain in which every function body is valid."""
LOWEST_IR_VERSION = 9
"""The oldest IR version that has all we write: functions, and initialisers as defaults of inputs."""

N_STEPS = "n_steps"
"""The graph input with the number of time steps T, int64, a scalar with a default."""
FIRST_SAMPLE = "first_sample"
"""The graph input with the number of samples in earlier batches of a run; models with random neurons have it."""
STEP = "step"
"""The graph input with the number of steps in earlier chunks of a run; streaming models that count steps have it."""
BATCH = "batch"
"""The symbol of the batch axis, B."""
TIME_BATCH = "time_batch"
"""The symbol of the merged axis, T*B."""
SCHEDULES = ("stepped", "two-phase")
"""When the layers spike: in every step, or each layer after it has seen all steps."""
CODES = ("rate", "delta")
"""How spikes carry a value: their mean over time is the value, or each is a change of it and their sum is."""
READOUTS = ("mean", "window", "leaky")
"""What an answer of the rate code is: a mean over all steps of a run, over its last ones, or with shares that decay."""
PREFIX = f"{DOMAIN}."
"""Of the keys of our metadata."""

_T = TypeVar("_T")
Object = Mapping[str, Any]
"""A JSON object."""


class FormatError(ValueError):
    """The file is of a newer format, or a part of its metadata is damaged; the message is one line that names it."""


@dataclass(frozen=True)
class _Kind(Generic[_T]):
    """What a field of the metadata may be.

    Attributes:
        what: the same in words, as in "must be WHAT".
        read: the value from the file's text; raises ValueError where the text is no such value.
        write: the text for a value.
    """

    what: str
    read: Callable[[str], _T]
    write: Callable[[_T], str]


def _count(text: str, least: int) -> int:
    if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _schedule(text: str) -> str:
    if text not in SCHEDULES:
        raise ValueError(text)
    return text


def _code(text: str) -> str:
    if text not in CODES:
        raise ValueError(text)
    return text


def _readout(text: str) -> str:
    if text not in READOUTS:
        raise ValueError(text)
    return text


def _object(text: str) -> Object:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


def _objects(text: str) -> Sequence[Object]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise ValueError(text)
    return value


def _pairs(text: str) -> Sequence[Mapping[str, str]]:
    pairs = _objects(text)
    if not all(isinstance(pair.get(name), str) for pair in pairs for name in ("input", "output")):
        raise ValueError(text)
    return pairs


def _arrays(text: str) -> Mapping[str, np.ndarray]:
    return {name: _array(tensor) for name, tensor in _object(text).items()}


def _array(tensor: Any) -> np.ndarray:
    if not isinstance(tensor, dict):
        raise ValueError(tensor)
    kind, shape, data = (tensor.get(name) for name in ("type", "shape", "data"))
    if not isinstance(shape, list) or not isinstance(data, list):
        raise ValueError(tensor)
    if not all(_is_integer(length) and length >= 0 for length in shape) or math.prod(shape) != len(data):
        raise ValueError(shape)
    try:
        dtype = np.dtype(kind)
        if not _may_hold(dtype) or dtype.name != kind or not all(isinstance(n, (int, float)) for n in data):
            raise ValueError(kind)
        with np.errstate(over="ignore"):
            array = np.array(data, dtype).reshape(shape)
    except (TypeError, OverflowError) as error:
        raise ValueError(kind) from error
    if not np.isfinite(array).all() or (dtype.kind != "f" and array.reshape(-1).tolist() != data):
        raise ValueError(data)
    return array


def _may_hold(dtype: np.dtype) -> bool:
    """Whether JSON has these numbers."""
    return dtype.kind in "fiub" and dtype.itemsize <= 8


def _write_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    tensors = {}
    for name, array in arrays.items():
        if not _may_hold(array.dtype):
            raise ValueError(f"{name!r} holds {array.dtype}, which a file's metadata cannot")
        tensors[name] = {"type": array.dtype.name, "shape": list(array.shape), "data": array.reshape(-1).tolist()}
    return json.dumps(tensors, allow_nan=False)


_TEXT = _Kind("text", str, str)
_COUNT = _Kind("an integer from 1 to 2^63 - 1", partial(_count, least=1), str)
"""A number of steps, the version of the format."""
_COUNT_OR_0 = _Kind("an integer from 0 to 2^63 - 1", partial(_count, least=0), str)
"""Numbers of bytes and samples, 0 where they are not known; a flag."""
_SCHEDULE = _Kind(" or ".join(SCHEDULES), _schedule, str)
_CODE = _Kind(" or ".join(CODES), _code, str)
_READOUT = _Kind(" or ".join(READOUTS), _readout, str)
_OBJECT = _Kind("a JSON object", _object, json.dumps)
_OPTIONS = _Kind("a JSON object", _object, partial(json.dumps, sort_keys=True))
"""Options are a user's, in any order; the same ones give the same file."""
_OBJECTS = _Kind("a JSON list of objects", _objects, json.dumps)
_PAIRS = _Kind('a JSON list of {"input": NAME, "output": NAME}', _pairs, json.dumps)
_ARRAYS = _Kind(
    'a JSON object of {"type": TYPE, "shape": [LENGTH, ...], "data": [NUMBER, ...]}', _arrays, _write_arrays
)


class _Key(Generic[_T]):
    """A field of `Metadata`, kept as the text that stands in the file and checked when it is read.

    Args:
        kind: what it may be.
        default: what a file means that lacks it.
        measured: it is a result of running the model, and other weights give another one.
    """

    name: str

    def __init__(self, kind: _Kind[_T], default: _T, *, measured: bool = False) -> None:
        self.kind, self.default, self.measured = kind, default, measured

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, metadata: Metadata | None, owner: type) -> _T:
        if metadata is None:
            return None  # type: ignore[return-value] # the default of the argument in Metadata(...): not given
        text = vars(metadata).get(self.name)
        if text is None:
            return self.default
        try:
            return self.kind.read(text)
        except (ValueError, RecursionError) as error:
            shown = text if len(text) <= 40 else f"{text[:40]}..."
            raise FormatError(f"metadata {PREFIX}{self.name} must be {self.kind.what}, it is {shown!r}") from error

    def __set__(self, metadata: Metadata, value: _T | None) -> None:
        if value is not None:
            vars(metadata)[self.name] = self.kind.write(value)


@dataclass(frozen=True, eq=False, repr=False)
class Metadata:
    """What a file says about itself: a field for each key ``onnx_snn.FIELD``, all of them optional.

    >>> metadata = Metadata.read(session.get_modelmeta().custom_metadata_map)
    >>> metadata.n_steps
    32
    >>> (metadata | Metadata(schedule="two-phase")).write(model.metadata_props)

    A field that is not given, or that the file lacks, has its default. A field that is damaged in the file raises `FormatError`
    when it is read, so it costs only what needs it.

    Attributes:
        format: version of the file format.
        n_steps: the T that the model was made for.
        row_bytes: about how many bytes one sample needs for one step; 0: not known.
        at_once: 1: no value has a row for each step, so that a sample is one row whatever n_steps is (two-phase).
        states: what a streaming model carries from chunk to chunk, ``{"input": NAME, "output": NAME}`` each.
        defaults: what to feed to inputs that a caller does not name, by their names; of a file whose inputs have no defaults
            of their own, see `snn_ops.explicit_inputs`.
        schedule: one of `SCHEDULES`.
        code: one of `CODES`.
        readout: of the rate code, one of `READOUTS`.
        readout_steps: how many steps a readout that forgets looks back: the length of the window, or the time constant; 0: it
            is a mean over all steps.
        source, source_sha256: name and SHA-256 of the trained model's file.
        version: of the converter.
        neuron, method, correction: the kinds of neurons, how they were calibrated and corrected.
        calibration_samples: how many samples it was calibrated on; 0: not known.
        options: all options of the conversion.
        layers: one object for each layer of neurons.
        work: what there is to compute per sample.
        front: what was measured to choose T and J: accuracy against energy, and what was asked.
        islands: the parts that stay analog.
        kept_analog: the activations that no neuron took the place of.
        preprocess: how a picture of bytes becomes a sample: ``size``, ``scale``, ``mean``, ``std``, ``layout``, ``rate``.
        input_ranges: of the calibration samples, by input: ``low``, ``high``, ``mean`` and ``std`` of their numbers.
    """

    format: _Key[int] = _Key(_COUNT, 1)
    n_steps: _Key[int] = _Key(_COUNT, 1)
    row_bytes: _Key[int] = _Key(_COUNT_OR_0, 0)
    at_once: _Key[int] = _Key(_COUNT_OR_0, 0)
    states: _Key[Sequence[Mapping[str, str]]] = _Key(_PAIRS, ())
    defaults: _Key[Mapping[str, np.ndarray]] = _Key(_ARRAYS, types.MappingProxyType({}))
    schedule: _Key[str] = _Key(_SCHEDULE, "stepped")
    code: _Key[str] = _Key(_CODE, "rate")
    readout: _Key[str] = _Key(_READOUT, "mean")
    readout_steps: _Key[int] = _Key(_COUNT_OR_0, 0)
    source: _Key[str] = _Key(_TEXT, "")
    source_sha256: _Key[str] = _Key(_TEXT, "")
    version: _Key[str] = _Key(_TEXT, "")
    neuron: _Key[str] = _Key(_TEXT, "")
    method: _Key[str] = _Key(_TEXT, "")
    correction: _Key[str] = _Key(_TEXT, "")
    calibration_samples: _Key[int] = _Key(_COUNT_OR_0, 0)
    options: _Key[Object] = _Key(_OPTIONS, types.MappingProxyType({}))
    layers: _Key[Sequence[Object]] = _Key(_OBJECTS, (), measured=True)
    work: _Key[Object] = _Key(_OBJECT, types.MappingProxyType({}), measured=True)
    front: _Key[Object] = _Key(_OBJECT, types.MappingProxyType({}), measured=True)
    islands: _Key[Sequence[Object]] = _Key(_OBJECTS, ())
    kept_analog: _Key[Sequence[Object]] = _Key(_OBJECTS, ())
    preprocess: _Key[Object] = _Key(_OPTIONS, types.MappingProxyType({}))
    input_ranges: _Key[Object] = _Key(_OBJECT, types.MappingProxyType({}))

    @classmethod
    def read(cls, mapping: Mapping[str, str]) -> Metadata:
        """The metadata of a file. Keys that are not known are ignored.

        Args:
            mapping: the file's ``metadata_props``: text by key.

        Raises:
            FormatError: the file is of a newer format than this release reads, or says no number for its format.
        """
        metadata = cls._of({name: mapping[PREFIX + name] for name in _keys() if PREFIX + name in mapping})
        if metadata.format > FORMAT_VERSION:
            raise FormatError(
                f"made for format {metadata.format}, this release reads {FORMAT_VERSION}: pip install -U onnx-snn"
            )
        return metadata

    def write(self, mapping: MutableMapping[str, str]) -> None:
        """Makes the fields that are given here the only ones in `mapping`; entries with keys that are not known stay."""
        for name in _keys():
            mapping.pop(PREFIX + name, None)
        mapping.update({PREFIX + name: text for name, text in self.texts().items()})

    def texts(self) -> dict[str, str]:
        """The fields that are given, by name, as they stand in the file."""
        return {name: vars(self)[name] for name in _keys() if name in vars(self)}

    def damaged(self) -> dict[str, str]:
        """The fields that cannot be read, by name, with the message of the error."""
        messages = {}
        for name in self.texts():
            try:
                getattr(self, name)
            except FormatError as error:
                messages[name] = str(error)
        return messages

    def __or__(self, other: Metadata) -> Metadata:
        """These fields with those that `other` gives in their place."""
        return self._of({**self.texts(), **other.texts()})

    def without(self, *names: str) -> Metadata:
        """The same without these fields."""
        return self._of({name: text for name, text in self.texts().items() if name not in names})

    def without_measurements(self) -> Metadata:
        """The same without what was measured: for a file whose weights were changed."""
        return self.without(*(name for name, key in _keys().items() if key.measured))

    @classmethod
    def _of(cls, texts: Mapping[str, str]) -> Metadata:
        metadata = cls()
        vars(metadata).update(texts)
        return metadata


def _keys() -> dict[str, _Key[Any]]:
    """The fields of `Metadata` by name, in their order."""
    return {field.name: vars(Metadata)[field.name] for field in fields(Metadata)}


def known(cls: type[_T], values: Object, key: str) -> _T:
    """A dataclass from the fields of an object in the metadata. Those that the class does not have are ignored.

    Args:
        cls: a dataclass. Its fields may be text, numbers, dataclasses, lists and tuples of them, and unions of these with None.
        values: the object, as JSON gives it.
        key: the field of `Metadata` that it stands in, for the message.

    Raises:
        FormatError: a field is of another type, or one without a default is missing.
    """
    hints = get_type_hints(cls)
    arguments = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name in values:
            try:
                arguments[field.name] = _fitted(values[field.name], hints[field.name], key)
            except TypeError as error:
                raise FormatError(f"metadata {PREFIX}{key}: {field.name!r} must be {error}") from error
        elif field.default is MISSING and field.default_factory is MISSING:
            raise FormatError(f"metadata {PREFIX}{key}: {field.name!r} is missing")
    return cls(**arguments)


def _fitted(value: Any, hint: Any, key: str) -> Any:
    """The value as the type wants it: a JSON list becomes a tuple where a tuple is wanted.

    Raises:
        TypeError: it is of another type; the message says which is wanted and what it is.
    """
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        kind, arguments = get_origin(option) or option, get_args(option)
        if kind in (list, tuple):
            if isinstance(value, list):
                return kind(_elements(value, kind, arguments, key))
        elif isinstance(kind, type) and is_dataclass(kind):
            if isinstance(value, dict):
                return known(kind, value, key)
        elif kind is float:
            if isinstance(value, float) or (_is_integer(value) and abs(value) < _NO_FLOAT):
                return value
        elif kind is int:
            if _is_integer(value):
                return value
        elif isinstance(value, kind):
            return value
    words = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    raise TypeError(f"{words}, it is {value!r}"[:100])


_NO_FLOAT = 2**1023
"""JSON has integers of any size; from about here on they are too large for a float."""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _elements(values: list[Any], kind: type, hints: tuple[Any, ...], key: str) -> list[Any]:
    if kind is list or hints[1:] == (...,):
        return [_fitted(value, hints[0], key) for value in values]
    if len(values) != len(hints):
        raise TypeError(f"{len(hints)} values, they are {len(values)}")
    return [_fitted(value, hint, key) for value, hint in zip(values, hints, strict=True)]
