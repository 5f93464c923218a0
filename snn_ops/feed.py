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
"""``[samples, ...]`` for a model of one input, or arrays by input name."""
_SUBNORMALS_DO_NOT_COUNT = (np.float32, np.float64)


def by_name(inputs: Inputs, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays for the inputs `names`.

    Raises:
        ValueError: one array for several inputs, none by the name of an input, inputs of different numbers of samples, or a
            sample that holds NaN or infinity.
    """
    if isinstance(inputs, np.ndarray):
        if len(names) != 1:
            raise ValueError(f"the model has the inputs {list(names)}: pass arrays by name")
        feed = {names[0]: np.asarray(inputs)}
    else:
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(f"no samples for input {missing[0]!r}; the model has the inputs {list(names)}")
        feed = {name: np.asarray(inputs[name]) for name in names}
    refuse_not_finite(feed)
    for name, array in feed.items():
        if not array.ndim:
            raise ValueError(f"`{name}` is one number, not [samples, ...]")
        if len(array) != len(feed[names[0]]):
            raise ValueError(f"`{names[0]}` holds {len(feed[names[0]])} samples, `{name}` {len(array)}")
    return feed


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
    """The number of steps.

    Raises:
        TypeError: it is no integer.
        ValueError: it is below 1.
    """
    try:
        steps = index(n_steps)
    except TypeError as error:
        raise TypeError(f"n_steps must be an integer, it is {n_steps!r}") from error
    if steps < 1:
        raise ValueError(f"n_steps must be at least 1, it is {steps}")
    return steps
