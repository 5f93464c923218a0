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
        ValueError: one array for several inputs, or none by the name of an input.
    """
    if isinstance(inputs, np.ndarray):
        if len(names) != 1:
            raise ValueError(f"the model has the inputs {list(names)}: pass arrays by name")
        return {names[0]: inputs}
    missing = [name for name in names if name not in inputs]
    if missing:
        raise ValueError(f"no samples for input {missing[0]!r}; the model has the inputs {list(names)}")
    return {name: inputs[name] for name in names}


def checked_steps(n_steps: int) -> int:
    """The number of steps.

    Raises:
        ValueError: it is below 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, it is {n_steps}")
    return n_steps
