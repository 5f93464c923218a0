"""What a caller passes: a model, its inputs by name, and the number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import onnx

Model: TypeAlias = "str | PathLike[str] | bytes | onnx.ModelProto"
"""A file, its bytes, or the model."""
Inputs = np.ndarray | Mapping[str, np.ndarray]
"""``[samples, ...]`` for a model of one input, or arrays by input name."""


def by_name(inputs: Inputs, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays for the inputs `names`.

    Raises:
        ValueError: one array for several inputs, none by the name of an input, or a sample that holds NaN or infinity.
    """
    if isinstance(inputs, np.ndarray):
        if len(names) != 1:
            raise ValueError(f"the model has the inputs {list(names)}: pass arrays by name")
        feed = {names[0]: inputs}
    else:
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(f"no samples for input {missing[0]!r}; the model has the inputs {list(names)}")
        feed = {name: inputs[name] for name in names}
    refuse_not_finite(feed)
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


def checked_steps(n_steps: int) -> int:
    """The number of steps.

    Raises:
        ValueError: it is below 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, it is {n_steps}")
    return n_steps
