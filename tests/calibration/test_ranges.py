"""Ranges against NumPy's own answers."""

from __future__ import annotations

import numpy as np
import pytest

from converter.calibration.histograms import ChannelHistogram
from converter.calibration.ranges import calibrated_range
from converter.options import METHODS


def ranges(histogram: ChannelHistogram, method: str, *, n_steps: int = 8, levels: int = 1, max_spikes: int = 1):
    return calibrated_range(method, histogram, percentile=100, n_steps=n_steps, levels=levels, max_spikes=max_spikes)


@pytest.mark.parametrize("method", METHODS)
def test_ranges_of_silent_channels_are_positive(method) -> None:
    histogram = ChannelHistogram(3)
    histogram.add(np.asarray([[0.0, 0.0], [1.0, 2.0], [0.0, 1e-9]]))
    assert (ranges(histogram, method) > 0).all()
    silent = ChannelHistogram(2)
    silent.add(np.zeros((2, 4)))
    assert (ranges(silent, method) == 1).all()
    vanishing = ChannelHistogram(2)
    vanishing.add(np.full((2, 4), 3e-45))  # a share of it is no float32
    assert (ranges(vanishing, method) == 1).all()


def test_a_method_that_is_no_branch_is_an_error() -> None:
    """A name that is new in `METHODS` is not taken for another method in silence."""
    with pytest.raises(ValueError, match="there is no method 'new'"):
        ranges(ChannelHistogram(1), "new")


@pytest.mark.parametrize(("n_steps", "levels", "max_spikes"), [(4, 1, 1), (32, 1, 1), (4, 8, 15)])
def test_mse_range_has_the_least_error(n_steps, levels, max_spikes) -> None:
    """Against a search over the samples themselves."""
    rng = np.random.default_rng(0)
    data = np.maximum(rng.standard_t(4, size=(3, 20_000)), 0) * np.asarray([[0.1], [1], [20]])
    histogram = ChannelHistogram(3)
    histogram.add(data)

    def error(top: np.ndarray) -> np.ndarray:
        step = top[:, None] / levels / n_steps
        return ((np.clip(np.round(data / step), 0, n_steps * max_spikes) * step - data) ** 2).mean(axis=1)

    tops = [ratio * data.max(axis=1) for ratio in np.linspace(0.03, 1, 98)]
    best = np.min([error(top) for top in tops], axis=0)
    found = error(ranges(histogram, "mse", n_steps=n_steps, levels=levels, max_spikes=max_spikes))
    assert (found <= 1.1 * best + 1e-4 * data.max(axis=1) ** 2).all()


def test_balanced_range_against_its_definition() -> None:
    data = np.random.default_rng(0).exponential(size=(2, 50_000)) * np.asarray([[1], [30]])
    histogram = ChannelHistogram(2)
    histogram.add(data)
    top = np.zeros(2)
    for _ in range(100):
        top += 2 * np.maximum(data - top[:, None], 0).mean(axis=1)
    np.testing.assert_allclose(ranges(histogram, "balance"), top, rtol=0.02)
