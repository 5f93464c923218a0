"""The parts of an operator's declaration: tensors, attributes with ranges, what it does with time, how high spikes are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from numbers import Real
from typing import Any

import numpy as np

from snn_ops import format as file_format

Attributes = Mapping[str, float | int]
"""Attributes by name."""


class Kind(Enum):
    """The type of a tensor; the value is its name in a schema."""

    CURRENT = "T"
    """Currents, spikes and what else runs through time: float16, float32 or float64."""
    STATE = "S"
    """Parameters and states: the type in which the operator computes."""
    INTEGER = "tensor(int64)"
    """Numbers of steps and samples: int64."""

    def dtype(self, current: np.dtype | type) -> np.dtype:
        """The type where currents are of type `current`."""
        if self is Kind.INTEGER:
            return np.dtype(np.int64)
        return np.dtype(current) if self is Kind.CURRENT else arithmetic(current)


def arithmetic(current: np.dtype | type) -> np.dtype:
    """The type in which an operator computes: float32 for float16, else the current's own."""
    return np.dtype(np.float32) if np.dtype(current) == np.float16 else np.dtype(current)


@dataclass(frozen=True)
class Tensor:
    """An input or output."""

    name: str
    kind: Kind
    description: str


def current(name: str, description: str) -> Tensor:
    """What an operator takes first or gives first: a signal, ``[T*B, ...]`` (time-major) or ``[B, ...]``."""
    return Tensor(name, Kind.CURRENT, description)


@dataclass(frozen=True)
class Parameter:
    """A value per neuron that stays; broadcasts against ``[B, ...]`` as in NumPy.

    Attributes:
        name: of the input.
        description: without the range and the shape.
        above_0: the neuron divides by it, so it must be above 0.
        default: the value in the public function (`snn_ops.functions`) and in benchmarks; a node always passes its own.
    """

    name: str
    description: str
    above_0: bool = False
    default: float = 1.0


@dataclass(frozen=True)
class State:
    """A value per neuron that evolves; broadcasts against ``[B, ...]`` as in NumPy.

    Attributes:
        name: of the input; the output after the last step is called ``NAME_out``.
        description: without the shape.
        rest: the value before a run, or how it follows from the attributes.
        matters_if: the attribute without which (where it is 0) nothing depends on this state; "": it always matters.
        after: further words on the value after the last step.
        has_base: it grows without bound, so it is the sum of two numbers: itself and its `base`.
    """

    name: str
    description: str
    rest: float | Callable[[Attributes], float] = 0.0
    matters_if: str = ""
    after: str = ""
    has_base: bool = False

    @property
    def base(self) -> State:
        """What it was before it was last rebased: the value is NAME + NAME_base."""
        description = f"what {self.name} was before it was last rebased; the value is the sum of both"
        return State(f"{self.name}_base", description, matters_if=self.matters_if)

    @property
    def output(self) -> str:
        """The name of the output with the state after the last step."""
        return f"{self.name}_out"

    def at_rest(self, attributes: Attributes) -> float:
        """The value before a run, from all attributes of the operator."""
        return self.rest(attributes) if callable(self.rest) else self.rest

    def matters(self, attributes: Attributes) -> bool:
        """Whether what comes later depends on it, from all attributes of the operator."""
        return not self.matters_if or bool(attributes[self.matters_if])


@dataclass(frozen=True)
class Range:
    """Which numbers an attribute may be, in words and as a test."""

    text: str
    contains: Callable[[float], bool]


ANY = Range("", lambda value: True)
ABOVE_0 = Range("above 0", lambda value: value > 0)
NOT_NEGATIVE = Range("not negative", lambda value: value >= 0)
NOT_ABOVE_0 = Range("not above 0", lambda value: value <= 0)
AT_LEAST_1 = Range("at least 1", lambda value: value >= 1)
FLAG = Range("0 or 1", lambda value: value in (0, 1))


@dataclass(frozen=True)
class Attribute:
    """An attribute; ``type(default)`` is its type, float or int."""

    name: str
    default: float | int
    description: str
    range: Range = ANY

    def checked(self, value: Any) -> float | int:
        """The value to six digits where it is a float, checked as the format reads it.

        Raises:
            TypeError: it is no number.
            ValueError: it is not finite, not an integer where one is wanted, or outside the range.
        """
        if not _is_number(value):
            raise TypeError(f"attribute {self.name} must be a number, it is {value!r}")
        if isinstance(self.default, float):
            value = decimal(value)
            wanted, good = "finite", math.isfinite(value)
        else:
            wanted, good = "an integer of 64 bits", abs(value) < 2**63 and value == int(value)
        if good:
            wanted, good = self.range.text, self.range.contains(value)
        if not good:
            raise ValueError(f"attribute {self.name} must be {wanted}, it is {value:g}")
        return type(self.default)(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.bool_)


def decimal(value: float) -> float:
    """A float32 attribute rounded to six significant digits, which is how the format reads it: 0.0199999996 is 0.02."""
    with np.errstate(over="ignore"):  # infinite, then
        return float(f"{np.float32(value):.5e}")


class Time(Enum):
    """What an operator does with time; kernels/operators/operator.h has the same names."""

    STEPS = "steps"
    """Takes n_steps and runs through them: ``[T*B, ...] -> [T*B, ...]``, or from ``[B, ...]`` with constant_current."""
    LAST = "last"
    """Takes n_steps, runs through them and gives what the last gives: ``[T*B, ...] -> [B, ...]``."""
    AT_ONCE = "at once"
    """Takes n_steps and gives the mean of what they would give, from the mean of the input: ``[B, ...] -> [B, ...]``."""
    REPEAT = "repeat"
    """Takes n_steps and gives the input at each: ``[B, ...] -> [T*B, ...]``."""
    NONE = "none"
    """Knows nothing of time: any shape."""


class Unit(Enum):
    """How high an output is, in heights."""

    COUNTED = "counted"
    """n heights for n spikes in a step."""
    SINGLE = "single"
    """One height, at most one spike in a step."""
    BINARY = "binary"
    """T heights times 2^-(t+1): binary digits of the value, the highest first."""
    DIFFERENTIAL = "differential"
    """The output is the running sum of spikes: one height times a power of two, of either sign, for each change of it."""


@dataclass(frozen=True)
class Height:
    """How high a spike is.

    Attributes:
        parameter: the operand that says so for each neuron.
        unit: how many heights an output can be.
        per_dt: the parameter is a spike's area: the height is parameter / dt.
    """

    parameter: str
    unit: Unit
    per_dt: bool = False


N_STEPS = Tensor(file_format.N_STEPS, Kind.INTEGER, "number of time steps T, at least 1")
STEP = Tensor(file_format.STEP, Kind.INTEGER, "number of time steps already done by earlier chunks of the same run")
STEP_OUT = Tensor(f"{file_format.STEP}_out", Kind.INTEGER, "step + n_steps")
FIRST_SAMPLE = Tensor(
    file_format.FIRST_SAMPLE, Kind.INTEGER, "number of samples already done by earlier batches of the same run"
)
DT = Attribute("dt", 0.001, "length of a time step in seconds", ABOVE_0)
SMALLEST = Attribute(
    "smallest",
    0.0,
    "a state of smaller size becomes 0, so that what decays does not end in denormal numbers, which are slow; 0: never",
    NOT_NEGATIVE,
)
SEED = Attribute(
    "seed", 0, "of the random numbers; layers that shall be independent need different seeds", NOT_NEGATIVE
)
CONSTANT_CURRENT = Attribute(
    "constant_current", 0, "1: the first input is [B, ...] and the same at every step; 0: it is [T*B, ...]", FLAG
)
