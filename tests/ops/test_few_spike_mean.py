"""FewSpikeMean against fractions, which round nothing, also where its digits are finer than the type's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import snn_ops
from snn_ops.ops import OPERATORS

BACKENDS = {"native": snn_ops.few_spike_mean, "reference": snn_ops.reference.few_spike_mean}


def rounded(value: float, scale: float, steps: int, dtype: type) -> float:
    """`value` in multiples of the last digit, rounded down; the nearest number of the type."""
    unit = Fraction(float(scale)) / 2**steps
    n = min(max(int(Fraction(float(value)) // unit), 0), 2**steps - 1)
    mean = n * unit
    return dtype(np.float64(mean.numerator) / np.float64(mean.denominator)) if dtype is np.float32 else float(mean)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", [1, 2, 5, 14, 20, 27, 28, 29, 32, 40, 60])
def test_exact_digits(backend, dtype, steps) -> None:
    """At, just below and just above the places where a digit changes, at any size, and at random."""
    rng = np.random.default_rng(steps)
    for scale in (dtype(1), dtype(0.7), dtype(1.9999999), dtype(3e-5)):
        last = scale * dtype(0.5) ** steps
        half = last * dtype(0.5)
        counts = np.floor(2.0 ** rng.uniform(0, min(steps, 60), 200))
        edges = (counts * float(last)).astype(dtype) - half
        sizes = (scale * 2.0 ** rng.uniform(-steps - 2, 1, 200)).astype(dtype)
        z = np.concatenate(
            [edges, np.nextafter(edges, dtype(-9)), np.nextafter(edges, dtype(9)), sizes, -sizes, [0, 9]]
        )
        z = z.astype(dtype)[None]
        found = BACKENDS[backend](z, n_steps=steps, scale=scale)
        expected = [rounded(r, scale, steps, dtype) for r in (z[0] + half)]
        np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_digits_below_the_smallest_numbers(backend) -> None:
    """Nothing is rounded there, and what is not a number stays so."""
    z = np.asarray([[-1, 0, 0.3, 0.75, 2, np.inf, -np.inf, np.nan]], np.float32)
    for steps in (99, 130, 500):
        found = BACKENDS[backend](z, n_steps=steps, scale=np.float32(1))
        np.testing.assert_array_equal(found[0], np.asarray([0, 0, 0.3, 0.75, 1, 1, 0, np.nan], np.float32))


def test_the_mean_of_few_spikes() -> None:
    """Of the operator that sends them, with the current added up over the steps: a power of two adds up exactly."""
    z = np.random.default_rng(0).uniform(-1, 3, (1, 4000)).astype(np.float32)
    for steps in (1, 2):
        train = OPERATORS["FewSpike"].run(z, steps, np.float32(1.3), constant_current=1)[0]
        mean = OPERATORS["FewSpikeMean"].run(z, steps, np.float32(1.3))[0]
        np.testing.assert_array_equal(train.reshape(steps, -1).mean(axis=0), mean[0])


@pytest.mark.parametrize("neurons", [4095, 4096, 4097, 5120, 20_001])
def test_layers_of_many_neurons(neurons) -> None:
    """Divided among the threads in blocks; each neuron with a scale of its own."""
    rng = np.random.default_rng(neurons)
    z, scale = (rng.uniform(low, 2, (1, neurons)).astype(np.float32) for low in (-1, 0.5))
    found = snn_ops.few_spike_mean(z, n_steps=6, scale=scale)
    np.testing.assert_array_equal(found, snn_ops.reference.few_spike_mean(z, n_steps=6, scale=scale))
