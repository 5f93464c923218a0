"""Fitted rates against the operators' NumPy references."""

from __future__ import annotations

import numpy as np
import pytest

from converter.calibration.rate_fit import RateTarget, fit_rates
from converter.neurons.fitted import AdaptiveLIFNeuron, IzhikevichNeuron, LIFNeuron
from snn_ops.ops import OPERATORS

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
