"""Calibration against NumPy's own answers."""

from __future__ import annotations

import numpy as np
import pytest

from converter.calibration.histograms import ChannelHistogram
from converter.calibration.ranges import calibrated_range
from converter.calibration.rate_fit import RateTarget, fit_rates
from converter.neurons.fitted import AdaptiveLIFNeuron, IzhikevichNeuron, LIFNeuron
from converter.options import METHODS
from snn_ops.ops import OPERATORS


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


FITTED = {  # neuron, attributes to choose from
    "LIF": (LIFNeuron(0.02, -1.0, 0.001), [{"tau_ref": 0.001}, {"tau_ref": 0.002}]),
    "AdaptiveLIF": (AdaptiveLIFNeuron(0.02, -1.0, 0.001, 1.0, 0.01), [{"tau_ref": 0.002}]),
    "Izhikevich": (IzhikevichNeuron(0.001), [{}]),
}
REST = {"Izhikevich": {"voltage": -65.0, "recovery": -13.0}}
"""States that are not 0."""


@pytest.mark.parametrize("op_type", FITTED)
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_fitted_rates_follow_the_activation(op_type, activation) -> None:
    """Constant currents: after 200 steps the fitted rate is this close to the activation."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (400, 3)) * np.asarray([0.1, 1, 20])
    scale = np.quantile(np.abs(x), 0.999, axis=0)
    squeezed = x / scale * 3
    function = {"relu": lambda z: np.maximum(z, 0), "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}[
        activation
    ]
    neuron, chosen = FITTED[op_type]
    attributes = [{**neuron.attributes, **some, "constant_current": 1} for some in chosen]
    states = {
        tensor.name: np.float32(REST.get(op_type, {}).get(tensor.name, 0)) for tensor in OPERATORS[op_type].inputs
    }
    target = RateTarget(
        function(squeezed), np.abs(squeezed).max(axis=0), channel_axis=1, with_offset=activation == "tanh"
    )
    fit = fit_rates(neuron, squeezed.astype(np.float32), target, 200, attributes)
    assert fit.attributes in attributes
    assert fit.relative_error < {"LIF": 0.15, "AdaptiveLIF": 0.15, "Izhikevich": 0.25}[op_type]
    assert (fit.offset == 0).all() == (activation != "tanh")
    spikes = OPERATORS[
        op_type
    ].run(  # the reference, with the numbers that the fit gives out
        (squeezed * fit.gain + fit.bias).astype(np.float32),
        *(
            {**states, "n_steps": np.asarray(200), "amplitude": np.float32(1)}[t.name]
            for t in OPERATORS[op_type].inputs[1:]
        ),
        **fit.attributes,
    )[0]
    made = fit.amplitude * spikes.reshape(200, *squeezed.shape).mean(axis=0) + fit.offset
    error = np.sqrt(((made - function(squeezed)) ** 2).mean() / (function(squeezed) ** 2).mean())
    assert error == pytest.approx(fit.relative_error, rel=1e-3)
