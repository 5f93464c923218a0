"""Neurons of the rate code, one layer by itself: their mean is the activation, rounded."""

from __future__ import annotations

import numpy as np
import pytest

from converter.neurons.rate import IFNeuron, SigmaDeltaNeuron
from tests.neurons.placed import TOP, held, mean, numbers, place, run
from tests.passes import op_types

STEPS = 16


@pytest.mark.parametrize(
    ("neuron", "thresholds"),
    [
        (IFNeuron(), TOP),
        (IFNeuron(signed=True), TOP),
        (IFNeuron(15, signed=True), TOP / 8),  # as many spikes again are in reserve
        (IFNeuron(2), TOP),
    ],
    ids=["if", "if-signed", "if-burst", "two spikes"],
)
def test_if_is_relu_in_steps_of_the_threshold(neuron, thresholds) -> None:
    """Of a constant current: rounded to the nearest of threshold / T, clipped where every step has all its spikes."""
    model, placed = place(neuron, "Relu")
    neuron.set_range(placed, TOP)
    assert op_types(model) == ["IF"]
    x = numbers(200, -3, 12)
    counts = np.clip(np.floor(x * STEPS / thresholds + 0.5), 0, STEPS * neuron.max_spikes)
    assert (counts == 0).any() and (counts == STEPS * neuron.max_spikes).any()
    found = mean(run(model, held(x, STEPS), STEPS), STEPS)
    near_a_tie = np.abs(x * STEPS / thresholds % 1 - 0.5) < 1e-3
    assert near_a_tie.mean() < 0.02
    np.testing.assert_allclose(found[~near_a_tie], (counts * thresholds / STEPS)[~near_a_tie], rtol=1e-5)


def test_signed_spikes_are_those_of_the_mean_current() -> None:
    """However it arrives; a neuron that takes nothing back has sent too many when the current was high at first."""
    x = numbers(100, 1, 3)
    falling = np.concatenate([held(3 * x, STEPS // 2), held(-x, STEPS // 2)])  # x in the mean
    errors = {}
    for signed in (True, False):
        neuron = IFNeuron(100, signed=signed)
        model, placed = place(neuron, "Relu")
        neuron.set_range(placed, 50 * TOP)
        errors[signed] = np.abs(mean(run(model, falling, STEPS), STEPS) - x)
    assert (errors[True] <= TOP / STEPS * 0.51).all()
    assert (errors[False] > TOP / STEPS).all()


@pytest.mark.parametrize(("most", "levels"), [(1, 1), (15, 8)])
@pytest.mark.parametrize("op_type", ["Tanh", "Relu", "Elu"])
def test_sigma_delta_follows_any_function(op_type, most, levels) -> None:
    """Which stays in the graph; each step of the running mean comes closer, to half a spike."""
    neuron = SigmaDeltaNeuron(most)
    model, placed = place(neuron, op_type)
    neuron.set_range(placed, TOP)
    assert op_types(model) == [op_type, "SigmaDelta"]
    x = numbers(200, -2, 2)
    y = {"Tanh": np.tanh(x), "Relu": np.maximum(x, 0), "Elu": np.where(x < 0, np.exp(x) - 1, x)}[op_type]
    threshold = TOP / levels
    within = np.abs(y) < threshold * most
    assert within.mean() > 0.5
    spikes = run(model, held(x, STEPS), STEPS).reshape(STEPS, *x.shape)
    assert (np.abs(spikes) <= threshold * most * (1 + 1e-6)).all()
    np.testing.assert_allclose(spikes / threshold, np.round(spikes / threshold), atol=1e-5)
    error = np.abs(spikes.mean(axis=0) - y)
    assert (error[within] <= np.broadcast_to(threshold / STEPS / 2, x.shape)[within] + 1e-5).all()
    np.testing.assert_allclose(
        np.abs(spikes.mean(axis=0))[~within], np.broadcast_to(threshold * most, x.shape)[~within]
    )
