"""Calibration against NumPy's own answers."""

from __future__ import annotations

import numpy as np
import pytest

from converter.calibration.lif_fit import fit_lif
from converter.calibration.percentile import percentile_thresholds
from converter.calibration.statistics import ChannelHistogram


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


def test_thresholds_of_silent_channels_are_positive() -> None:
    histogram = ChannelHistogram(3)
    histogram.add(np.asarray([[0.0, 0.0], [1.0, 2.0], [0.0, 1e-9]]))
    thresholds = percentile_thresholds(histogram, 100)
    assert (thresholds > 0).all()
    assert thresholds[1] == pytest.approx(2, rel=0.01)
    silent = ChannelHistogram(2)
    silent.add(np.zeros((2, 4)))
    assert (percentile_thresholds(silent) == 1).all()


@pytest.mark.parametrize(("activation", "most"), [("relu", 0.1), ("sigmoid", 0.08), ("tanh", 0.15)])
def test_lif_fit_follows_the_activation(activation, most) -> None:
    """Constant currents: after 200 steps the fitted rate is this close to the activation."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (400, 3)) * np.asarray([0.1, 1, 20])
    scale = np.quantile(np.abs(x), 0.999, axis=0)
    squeezed = x / scale * 3
    function = {"relu": lambda z: np.maximum(z, 0), "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}[
        activation
    ]
    fit = fit_lif(
        squeezed.astype(np.float32),
        function(squeezed),
        np.abs(squeezed).max(axis=0),
        200,
        channel_axis=1,
        constant_current=True,
        with_offset=activation == "tanh",
        tau_refs=(0.001, 0.002),
        attributes={"tau_rc": 0.02, "min_voltage": -1.0, "dt": 0.001},
    )
    assert fit.tau_ref in (0.001, 0.002)
    assert fit.relative_error < most
    assert (fit.offset == 0).all() == (activation != "tanh")
