"""Random calls of every operator: a row each in `CASES`, for what its declaration does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_ops.ops import OPERATORS, Time

Values = tuple[float, float] | range
"""Lowest and highest of random numbers; of whole numbers a range."""


@dataclass(frozen=True)
class Case:
    """What to call an operator with.

    Attributes:
        operands: parameters and states, by name.
        attributes: sets worth trying, beside the defaults.
    """

    operands: dict[str, Values]
    attributes: tuple[dict[str, float | int], ...] = ()


CASES = {
    "IF": Case(
        {"threshold": (0.3, 1.7), "voltage": (-0.5, 1.5), "net_count": range(4)},
        (
            {"max_spikes": 3},
            {"max_spikes": 0},
            {"signed": 1},
            {"signed": 1, "max_spikes": 0},
            {"signed": 1, "max_spikes": 2},
        ),
    ),
    "BoundedIF": Case(
        {"threshold": (0.3, 1.7), "voltage": (-0.5, 1.5)},
        (
            {"max_spikes": 3, "memory": 0.0},
            {"memory": 0.35},
            {"signed": 1},
            {"signed": 1, "max_spikes": 4, "memory": 2.0},
        ),
    ),
    "LIF": Case(
        {"amplitude": (0.2, 2), "voltage": (0, 1.2), "refractory_time": (0, 0.003)},
        (
            {"tau_rc": 0.003, "tau_ref": 0.0},  # long steps: dt / tau_rc = 1/3
            {"min_voltage": -1.0, "tau_ref": 0.0015, "smallest": 0.05},
            {"tau_rc": 0.0123, "dt": 0.0005},
        ),
    ),
    "AdaptiveLIF": Case(
        {"amplitude": (0.2, 2), "voltage": (0, 1.2), "refractory_time": (0, 0.003), "adaptation": (0, 0.3)},
        ({"tau_rc": 0.003}, {"tau_n": 0.05, "inc_n": 0.3, "tau_ref": 0.0, "smallest": 0.01}),
    ),
    "Izhikevich": Case(
        {"amplitude": (0.2, 2), "voltage": (-70, 20), "recovery": (-15, 5)},
        (
            {"reset_voltage": -50.0, "reset_recovery": 2.0},
            {"tau_recovery": 0.1, "coupling": 0.26, "dt": 0.0005},
        ),
    ),
    "LIFRate": Case({"amplitude": (0.2, 2)}, ({"tau_rc": 0.05, "tau_ref": 0.0},)),
    "SoftLIFRate": Case({"amplitude": (0.2, 2)}, ({"sigma": 0.05},)),
    "RegularSpiking": Case({"amplitude": (0.2, 2), "voltage": (0, 1)}, ({"dt": 0.0005},)),
    "StochasticSpiking": Case({"amplitude": (0.2, 2)}, ({"seed": 12345678901234},)),
    "PoissonSpiking": Case({"amplitude": (0.2, 2)}, ({"seed": 7, "dt": 0.004},)),
    "SigmaDelta": Case({"threshold": (0.3, 1.7), "net_count": range(4)}, ({"max_spikes": 0}, {"max_spikes": 2})),
    "MultiThreshold": Case(
        {"threshold": (0.3, 1.7), "resting_value": (-0.5, 0.5), "finest_exponent": range(-1, 9), "sent": range(-1, 2)},
        ({"refinements": 3}, {"max_spikes": 4}, {"max_spikes": 6, "refinements": 2}, {"max_spikes": 3}),
    ),
    "MultiThresholdSum": Case({"threshold": (0.3, 1.7), "resting_value": (-0.5, 0.5), "finest_exponent": range(-1, 9)}),
    "CountIF": Case({"threshold": (0.3, 1.7), "voltage": (0, 1)}, ({"max_spikes": 3}, {"signed": 1})),
    "FewSpike": Case({"scale": (0.7, 1.2)}),
    "FewSpikeMean": Case({"scale": (0.7, 1.2)}),
    "Lowpass": Case({"filtered": (-1, 1)}, ({"tau": 0.0}, {"tau": 0.03}, {"smallest": 0.05})),
    "Alpha": Case({"first": (-1, 1), "filtered": (-1, 1)}, ({"tau": 0.0}, {"tau": 0.03}, {"smallest": 0.05})),
    "RunningMean": Case({"sum": (-2, 2)}),
    "LeakyMean": Case({"mean": (-1, 1)}, ({"steps": 1}, {"steps": 3, "smallest": 0.05})),
    "RunningDifference": Case({"total": (-2, 2)}),
    "TimeRepeat": Case({}),
    "TimeMean": Case({"sum": (-2, 2)}),
    "TimeLast": Case({}),
}
"""Every operator has a row."""

CALLS = [(op_type, attributes) for op_type, case in CASES.items() for attributes in ({}, *case.attributes)]
"""An operator and attributes, for tests with a parameter for each."""


def name_of(call: tuple[str, dict[str, float | int]]) -> str:
    """What a test calls it by."""
    op_type, attributes = call
    return "-".join([op_type, *(f"{name}={value}" for name, value in attributes.items())])


IDS = [name_of(call) for call in CALLS]


@dataclass(frozen=True)
class Shape:
    """A call's size: T steps, B samples of [*features]."""

    n_steps: int
    batch: int
    features: tuple[int, ...]


def random_inputs(
    op_type: str, shape: Shape, element: np.dtype | type, rng: np.random.Generator, *, constant_current: int = 0
) -> list[np.ndarray]:
    """Inputs in the operator's order. Parameters are per channel, per neuron or scalar, states too, at random."""
    operator = OPERATORS[op_type]
    through_time = operator.time in (Time.STEPS, Time.LAST) and not constant_current
    rows = shape.batch * (shape.n_steps if through_time else 1)
    numbers: dict[str, Any] = {
        operator.input.name: rng.uniform(*operator.usual, (rows, *shape.features)),
        "n_steps": shape.n_steps,
        "step": rng.integers(0, 20),
        "first_sample": rng.integers(0, 20),
    }
    operands = CASES[op_type].operands
    numbers |= {name: _operand(values, shape, rng) for name, values in operands.items()}
    numbers |= {
        state.base.name: _operand(_base(operands[state.name]), shape, rng)
        for state in operator.states
        if state.has_base
    }
    return [np.asarray(numbers[tensor.name], tensor.kind.dtype(element)) for tensor in operator.inputs]


def _base(values: Values) -> Values:
    """Of a count whole numbers, of a sum a number of its size."""
    return range(-2, 3) if isinstance(values, range) else values


def _operand(values: Values, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    whole = (shape.batch, *shape.features)
    shapes = [(), shape.features, whole, tuple(1 for _ in whole)]
    if shape.features:
        shapes.append((shape.features[0], *(1 for _ in shape.features[1:])))
    size = shapes[rng.integers(len(shapes))]
    return rng.choice(values, size) if isinstance(values, range) else rng.uniform(*values, size)


def has_constant_current(op_type: str) -> bool:
    return OPERATORS[op_type].time is Time.STEPS
