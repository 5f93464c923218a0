"""Histograms against NumPy's quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from converter.calibration.histograms import ChannelHistogram


@pytest.mark.parametrize("q", [0.5, 0.9, 0.999, 1.0])
def test_histogram_quantiles(q) -> None:
    """Batches of growing range; the answer is within a bin of NumPy's quantile."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(5, 40_000)) * np.asarray([[0.01], [1], [3], [100], [0]])
    histogram = ChannelHistogram(5)
    for part, grow in zip(np.split(data, 8, axis=1), (1, 2, 1, 5, 1, 1, 9, 1), strict=True):
        part *= grow
        histogram.add(part)
    bin_width = np.abs(data).max(axis=1) * 2 / 512
    assert (np.abs(histogram.quantile(q) - np.quantile(data, q, axis=1)) <= bin_width).all()
    assert (np.abs(histogram.magnitude_quantile(q) - np.quantile(np.abs(data), q, axis=1)) <= bin_width).all()
    assert (histogram.counts.sum(axis=1) == data.shape[1]).all()
