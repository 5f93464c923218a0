"""What the references share in NumPy: the merged time axis, types, states at rest, heights of spikes."""

from __future__ import annotations

import numpy as np

from snn_ops.ops import _signature


def split(x: np.ndarray, n_steps: int, constant: int = 0) -> np.ndarray:
    """``[T*B, ...] -> [T, B, ...]``; with ``constant``, ``[B, ...]`` is repeated T times.

    Raises:
        ValueError: n_steps below 1, a scalar x, or a first axis that is not a multiple of n_steps.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, it is {n_steps}")
    if x.ndim == 0:
        raise ValueError("a scalar has no time axis")
    if constant:
        return np.broadcast_to(x, (n_steps, *x.shape))
    if x.shape[0] % n_steps:
        raise ValueError(f"the first axis, {x.shape[0]}, is not a multiple of n_steps, {n_steps}")
    return x.reshape(n_steps, x.shape[0] // n_steps, *x.shape[1:])


def merge(x: np.ndarray) -> np.ndarray:
    """``[T, B, ...] -> [T*B, ...]``."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def arithmetic(x: np.ndarray) -> np.dtype:
    """The type in which an operator computes: float32 for float16, else the current's own."""
    return _signature.arithmetic(x.dtype)


def initial(value: np.ndarray, currents: np.ndarray) -> np.ndarray:
    """A state at rest for each neuron: ``value`` broadcast to ``currents.shape[1:]``, as a copy."""
    return np.array(np.broadcast_to(value, currents.shape[1:]), dtype=arithmetic(currents))


REBASED_AFTER = 64
"""Steps between two times at which sums are rebased."""


def rebased(
    sum: np.ndarray, base: np.ndarray, steps: int, least: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """A sum and its base after `steps` steps of a run: every 64 of them, the sum moves into the base where it is finite and its
    size `least` or more, and what that loses by rounding is the new sum. Then 0 takes the place of what is not finite."""
    if steps % REBASED_AFTER:
        return sum, base
    moves = (np.abs(sum) >= least) & np.isfinite(sum)
    total = base + sum
    taken = total - base
    rest = (base - (total - taken)) + (sum - taken)
    return finite(np.where(moves, rest, sum)), finite(np.where(moves, total, base))


def finite(value: np.ndarray) -> np.ndarray:
    """The value, with 0 where it is not finite."""
    return np.where(np.isfinite(value), value, value.dtype.type(0))


def without_smallest(state: np.ndarray, smallest: float) -> np.ndarray:
    """The state, with 0 where its size is below `smallest`."""
    return np.where(np.abs(state) < state.dtype.type(smallest), state.dtype.type(0), state)


def spike_height(amplitude: np.ndarray, dt: float, dtype: np.dtype) -> np.ndarray:
    """amplitude / dt, taken in float64: in float32, 1 / 0.001 would be 999.99994."""
    return np.asarray(np.asarray(amplitude, np.float64) / dt, dtype)
