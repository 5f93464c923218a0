"""What a caller passes: a model, its inputs by name, and the number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import onnx

Model: TypeAlias = "str | PathLike[str] | bytes | onnx.ModelProto"
"""A file, its bytes, or the model."""
Inputs = np.ndarray | Mapping[str, np.ndarray]
"""``[samples, ...]`` for a model of one input, or arrays by input name. Lists of numbers do, too."""
_NAMES_IN_RUNTIME = {"float": "float32", "double": "float64"}
_ELEMENTS = frozenset("bool float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())
_SUBNORMALS_DO_NOT_COUNT = (np.float32, np.float64)


def element_type(of_value: str) -> np.dtype | None:
    """The type of numbers in what ONNX Runtime calls ``tensor(float)``; None: NumPy has none, or it is no tensor."""
    name = of_value.removeprefix("tensor(").removesuffix(")")
    name = _NAMES_IN_RUNTIME.get(name, name)
    return np.dtype(name) if name in _ELEMENTS else None


def by_name(inputs: Inputs, types: Mapping[str, np.dtype | None]) -> dict[str, np.ndarray]:
    """The arrays for a model's inputs.

    Args:
        inputs: what the caller passed.
        types: of the model's inputs, by name; None: whatever comes.

    Raises:
        ValueError: one array for several inputs, none by the name of an input, inputs of different numbers of samples, a
            sample that holds NaN or infinity, or numbers that the input's type does not have.
    """
    names = list(types)
    if not isinstance(inputs, Mapping):
        if len(names) != 1:
            raise ValueError(f"the model has the inputs {names}: pass arrays by name")
        inputs = {names[0]: inputs}
    missing = [name for name in names if name not in inputs]
    if missing:
        raise ValueError(f"no samples for input {missing[0]!r}; the model has the inputs {names}")
    feed = {name: _array(inputs[name], name) for name in names}
    refuse_not_finite(feed)
    feed = {name: array if (to := types[name]) is None else as_type(array, to, name) for name, array in feed.items()}
    for name, array in feed.items():
        if not array.ndim:
            raise ValueError(f"`{name}` is one number, not [samples, ...]")
        if len(array) != len(feed[names[0]]):
            raise ValueError(f"`{names[0]}` holds {len(feed[names[0]])} samples, `{name}` {len(array)}")
    return feed


def _array(given: object, name: str) -> np.ndarray:
    """What the caller passed for an input as an array.

    Raises:
        ValueError: it is a list of lists of different lengths, or of what is no number.
    """
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(f"`{name}` is no array of numbers: {error}") from error


def as_type(array: np.ndarray, dtype: np.dtype, name: str, input_name: str | None = None) -> np.ndarray:
    """The numbers in the type that a model's input takes: rounded to its precision, and never changed beyond that.

    Args:
        array: finite numbers.
        dtype: the type.
        name: of the array, for the message.
        input_name: of the model's input; default: the same.

    Raises:
        ValueError: it holds fractions where the type has none, numbers outside its range, or no numbers at all.
    """
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "fiub":
        raise ValueError(f"`{name}` holds {array.dtype}, not numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        result = array.astype(dtype)
    if dtype.kind == "f":
        what, bad = f"numbers too large for {dtype}", np.isinf(result)
    else:
        low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        wide = array.astype({"f": np.float64, "b": np.uint8}.get(array.dtype.kind, array.dtype))
        what, bad = "fractions", wide != np.trunc(wide)
        if not bad.any():
            what, bad = f"numbers below {low}", wide < low
        if not bad.any():  # as a float, the largest of 64 bits is rounded up
            what, bad = f"numbers above {high}", wide >= float(high + 1) if wide.dtype.kind == "f" else wide > high
    if bad.any():
        first = int(np.flatnonzero(bad)[0]) * len(array) // array.size if array.ndim else 0
        raise ValueError(
            f"`{name}` holds {what}, first in sample {first}; the model's input {input_name or name!r} takes {dtype}"
        )
    return result


def refuse_other_shapes(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Sequence[int | str | None]]) -> None:
    """Lets only samples pass that have the shape of the model's input; lengths that are no numbers are free.

    Raises:
        ValueError: an array has another shape, such as that of one sample.
    """
    for name, array in arrays.items():
        if not shapes[name]:  # the file does not say it
            continue
        inner = list(shapes[name])[1:]
        fits = array.ndim == len(inner) + 1
        if not fits or any(isinstance(n, int) and n != m for n, m in zip(inner, array.shape[1:], strict=True)):
            wanted = ", ".join(["samples", *("any" if not isinstance(n, int) else str(n) for n in inner)])
            one = "; one sample is x[None]" if array.ndim == len(inner) else ""
            raise ValueError(f"`{name}` has the shape {list(array.shape)}, the model's input needs [{wanted}]{one}")


def refuse_not_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Lets only numbers pass: of a NaN, a neuron may make an answer that looks like any other (docs/format.md).

    Raises:
        ValueError: a sample holds NaN or infinity.
    """
    for name, array in arrays.items():
        bad = first_not_finite(array)
        if bad is not None:
            raise ValueError(f"`{name}` holds NaN or infinity, first in sample {bad}")


def first_not_finite(array: np.ndarray) -> int | None:
    """The index in the first axis of the first NaN or infinity; None: there is none."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return None
    finite = np.isfinite(array)
    if finite.all():
        return None
    return int(np.flatnonzero(~finite)[0]) * len(array) // array.size if array.ndim else 0


def subnormal(array: np.ndarray) -> np.ndarray | None:
    """Where numbers below the smallest normal one of their type stand, but for 0; None: there are none.

    Many processors take a hundred times as long for each of them (docs/FINDINGS.md). In float16 such numbers are large enough
    to count, and normal where a neuron computes, in float32: none is named.
    """
    if array.dtype not in _SUBNORMALS_DO_NOT_COUNT:
        return None
    small: np.ndarray = np.abs(array) < np.finfo(array.dtype).tiny
    if small.any():
        small &= array != 0
    return small if small.any() else None


def as_model_takes(array: np.ndarray) -> np.ndarray:
    """The array itself, or a copy where ONNX Runtime would take it for another or become slow.

    The copy has 0 in place of subnormal numbers, and this machine's byte order: ONNX Runtime reads any other as if it were
    that.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    small = subnormal(array)
    if small is None:
        return array
    bits: np.ndarray = array.view(f"i{array.itemsize}")
    bits = bits * ~small  # a product of floats would be slow, and `where` is, when they are scattered
    return bits.view(array.dtype)


def checked_steps(n_steps: int) -> int:
    """The number of steps; see `checked_count`."""
    return checked_count(n_steps, "n_steps")


def checked_count(count: int, name: str) -> int:
    """A number of things of which there is at least one.

    Raises:
        TypeError: it is no integer.
        ValueError: it is below 1.
    """
    try:
        number = index(count)
    except TypeError as error:
        raise TypeError(f"{name} must be an integer, it is {count!r}") from error
    if number < 1:
        raise ValueError(f"{name} must be at least 1, it is {number}")
    return number
