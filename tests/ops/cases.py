"""Random calls of every operator: the inputs, and attributes worth trying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snn_ops.ops import OPERATORS

ATTRIBUTES: dict[str, list[dict[str, float | int]]] = {
    "IF": [
        {},
        {"max_spikes": 3},
        {"max_spikes": 0},
        {"signed": 1},
        {"signed": 1, "max_spikes": 0},
        {"signed": 1, "max_spikes": 2},
    ],
    "LIF": [
        {},
        {"tau_rc": 0.003, "tau_ref": 0.0},  # long steps: dt / tau_rc = 1/3
        {"min_voltage": -1.0, "tau_ref": 0.0015},
        {"tau_rc": 0.0123, "dt": 0.0005},
    ],
    "AdaptiveLIF": [{}, {"tau_rc": 0.003}, {"tau_n": 0.05, "inc_n": 0.3, "tau_ref": 0.0}],
    "Izhikevich": [
        {},
        {"reset_voltage": -50.0, "reset_recovery": 2.0},
        {"tau_recovery": 0.1, "coupling": 0.26, "dt": 0.0005},
    ],
    "LIFRate": [{}, {"tau_rc": 0.05, "tau_ref": 0.0}],
    "SoftLIFRate": [{}, {"sigma": 0.05}],
    "RegularSpiking": [{}, {"dt": 0.0005}],
    "StochasticSpiking": [{}, {"seed": 12345678901234}],
    "PoissonSpiking": [{}, {"seed": 7, "dt": 0.004}],
    "SigmaDelta": [{}, {"max_spikes": 0}, {"max_spikes": 2}],
    "CountIF": [{}, {"max_spikes": 3}, {"signed": 1}],
    "FewSpike": [{}],
    "Lowpass": [{}, {"tau": 0.0}, {"tau": 0.03}],
    "Alpha": [{}, {"tau": 0.0}, {"tau": 0.03}],
    "RunningMean": [{}],
    "RunningDifference": [{}],
    "TimeRepeat": [{}],
    "TimeMean": [{}],
}
"""Every operator has a row."""

NO_TIME = ("LIFRate", "SoftLIFRate", "CountIF", "TimeRepeat")
"""Operators whose first input is [B, ...]."""


@dataclass(frozen=True)
class Shape:
    """A call's size: T steps, B samples of [*features]."""

    n_steps: int
    batch: int
    features: tuple[int, ...]


def arithmetic(element: np.dtype | type) -> np.dtype:
    """The type of parameters and states."""
    return np.dtype(np.float32) if np.dtype(element) == np.float16 else np.dtype(element)


def random_inputs(
    op_type: str, shape: Shape, element: np.dtype | type, rng: np.random.Generator, *, constant_current: int = 0
) -> list[np.ndarray]:
    """Inputs in the operator's order. Parameters are per channel, per neuron or scalar, states too, at random."""
    states = arithmetic(element)

    def first(low: float, high: float) -> np.ndarray:
        rows = shape.batch if constant_current or op_type in NO_TIME else shape.n_steps * shape.batch
        return rng.uniform(low, high, (rows, *shape.features)).astype(element)

    def operand(low: float, high: float) -> np.ndarray:
        whole = (shape.batch, *shape.features)
        shapes = [(), shape.features, whole, tuple(1 for _ in whole)]
        if shape.features:
            shapes.append((shape.features[0], *(1 for _ in shape.features[1:])))
        return rng.uniform(low, high, shapes[rng.integers(len(shapes))]).astype(states)

    n_steps = np.asarray(shape.n_steps, np.int64)
    step, sample = (np.asarray(rng.integers(0, 20), np.int64) for _ in range(2))
    counts = np.round(operand(0, 3))
    return {
        "IF": lambda: [first(-0.8, 2.4), n_steps, operand(0.3, 1.7), operand(-0.5, 1.5), counts],
        "LIF": lambda: [first(-1, 6), n_steps, operand(0.2, 2), operand(0, 1.2), operand(0, 0.003)],
        "AdaptiveLIF": lambda: [
            first(-1, 6),
            n_steps,
            operand(0.2, 2),
            operand(0, 1.2),
            operand(0, 0.003),
            operand(0, 0.3),
        ],
        "Izhikevich": lambda: [first(-40, 30), n_steps, operand(0.2, 2), operand(-70, 20), operand(-15, 5)],
        "LIFRate": lambda: [first(-1, 6), operand(0.2, 2)],
        "SoftLIFRate": lambda: [first(-30, 40), operand(0.2, 2)],
        "RegularSpiking": lambda: [first(-200, 3000), n_steps, operand(0.2, 2), operand(0, 1)],
        "StochasticSpiking": lambda: [first(-800, 3000), n_steps, operand(0.2, 2), step, sample],
        "PoissonSpiking": lambda: [first(-800, 8000), n_steps, operand(0.2, 2), step, sample],
        "CountIF": lambda: [first(-0.8, 1.7), n_steps, operand(0.3, 1.7), operand(0, 1)],
        "FewSpike": lambda: [first(-0.3, 1.3), n_steps, operand(0.7, 1.2)],
        "Lowpass": lambda: [first(-1, 1), n_steps, operand(-1, 1)],
        "Alpha": lambda: [first(-1, 1), n_steps, operand(-1, 1), operand(-1, 1)],
        "SigmaDelta": lambda: [first(-1.5, 1.5), n_steps, operand(0.3, 1.7), counts, step],
        "RunningMean": lambda: [first(-1, 1), n_steps, operand(-2, 2), step],
        "RunningDifference": lambda: [first(-1, 1), n_steps, operand(-2, 2), step],
        "TimeRepeat": lambda: [first(-1, 1), n_steps],
        "TimeMean": lambda: [first(-1, 1), n_steps, operand(-2, 2), step],
    }[op_type]()


def has_constant_current(op_type: str) -> bool:
    return "constant_current" in OPERATORS[op_type].defaults
