"""Fitted rates against the operators' NumPy references."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from converter.calibration.rate_fit import RateFit, RateTarget, fit_rates
from converter.conversion.main import convert
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
    fit = fit_rates(neuron, [squeezed.astype(np.float32)], target, 200, attributes)
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


@pytest.mark.parametrize("op_type", ["LIF", "AdaptiveLIF"])
def test_in_a_stream_the_last_frame_is_fitted(op_type) -> None:
    """Other currents before it, and no reset; the reference gives the same error."""
    neuron, (*_, attributes) = FITTED[op_type]
    attributes = {**attributes, **neuron.attributes, "constant_current": 1}
    steps, rng = 8, np.random.default_rng(0)
    frames = [rng.uniform(-3, 3, (400, 3)).astype(np.float32) for _ in range(3)]
    target = RateTarget(np.tanh(frames[-1]), np.full(3, 3.0), channel_axis=1, with_offset=True)
    operator = OPERATORS[op_type]

    def error(fit: RateFit) -> float:
        states = {
            **{tensor.name: np.float32(0) for tensor in operator.inputs},
            "n_steps": np.asarray(steps),
            "amplitude": np.float32(1),
        }
        for frame in frames:
            current = (frame * fit.gain + fit.bias).astype(np.float32)
            spikes, *after = operator.run(current, *(states[t.name] for t in operator.inputs[1:]), **fit.attributes)
            states |= {state.name: value for state, value in zip(operator.states, after, strict=True)}
        made = fit.amplitude * spikes.reshape(steps, *current.shape).mean(axis=0) + fit.offset
        return float(np.sqrt(((made - target.activation) ** 2).mean() / (target.activation**2).mean()))

    fit = fit_rates(neuron, frames, target, steps, [attributes])
    assert fit.relative_error == pytest.approx(error(fit), rel=1e-3)
    assert error(fit) < error(fit_rates(neuron, frames[-1:], target, steps, [attributes]))


def test_neurons_for_signed_activations_follow_in_a_stream() -> None:
    """LeNet-5 with Tanh, whose layers begin with their offset alone: fitted from rest, 17 % of these frames agree."""
    data = resources.files("converter.demo") / "data"
    with np.load(data / "mnist_calibration.npz") as archive:
        x = archive["x"][:64]
    options = {"code": "rate", "neuron": "lif", "n_steps": 8, "streaming": True, "readout": "window"}
    with resources.as_file(data / "lenet5_tanh.onnx") as path:
        assert convert(path, x, **options).measured.stream.agreement > 0.75
