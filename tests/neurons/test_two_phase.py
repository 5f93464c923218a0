"""Neurons of the two-phase schedule, one layer by itself: the activation, rounded to what T steps can say."""

from __future__ import annotations

import numpy as np
import pytest

from converter.graph.run import start_quietly, with_outputs
from converter.measure.instruments import spike_train
from converter.neurons.two_phase import CountIFNeuron, FewSpikeNeuron
from tests.neurons.placed import TOP, numbers, place, run
from tests.passes import op_types

STEPS = 6
X = numbers(300, -3, 9)
VALUES = {"Relu": np.maximum(X, 0), "Tanh": np.tanh(X), "Sigmoid": 1 / (1 + np.exp(-X))}


@pytest.mark.parametrize(("most", "levels"), [(1, 1), (15, 8)])
@pytest.mark.parametrize("op_type", VALUES)
def test_count_if_rounds_to_the_nearest_count(op_type, most, levels) -> None:
    """Relu it is by itself, any other function stays before it, and its spikes have the function's sign."""
    neuron = CountIFNeuron(most)
    model, placed = place(neuron, op_type)
    neuron.set_range(placed, TOP)
    assert op_types(model) == (["CountIF"] if op_type == "Relu" else [op_type, "CountIF"])
    unit, y = TOP / levels / STEPS, VALUES[op_type]
    highest = TOP / levels * most
    found = run(model, X, STEPS)
    np.testing.assert_allclose(found / unit, np.round(found / unit), atol=1e-4)
    assert (np.abs(found - np.clip(y, -highest, highest)) <= unit / 2 + 1e-5).all()
    assert (found < 0).any() == (op_type == "Tanh")


@pytest.mark.parametrize("op_type", ["Relu", "Sigmoid"])
def test_few_spikes_are_binary_digits(op_type) -> None:
    """Of twice the calibrated range: half a digit of error at most below its highest number."""
    neuron = FewSpikeNeuron()
    model, placed = place(neuron, op_type)
    neuron.set_range(placed, TOP)
    assert op_types(model) == ([] if op_type == "Relu" else [op_type]) + ["FewSpikeMean"]
    unit = 2 * TOP / 2**STEPS
    found = run(model, X, STEPS)
    np.testing.assert_allclose(found / unit, np.round(found / unit), atol=1e-4)
    assert (np.abs(found - np.minimum(VALUES[op_type], (2**STEPS - 1) * unit)) <= unit / 2 + 1e-5).all()


def test_at_most_one_spike_a_step() -> None:
    """The t-th is worth the t-th digit; the neuron itself gives only their mean."""
    neuron = FewSpikeNeuron()
    model, placed = place(neuron, "Relu")
    neuron.set_range(placed, TOP)
    train = spike_train(placed.node)
    assert train is not None
    model.graph.insert_after(placed.node, train)
    outputs = [train.outputs[0], placed.node.outputs[0]]
    session = start_quietly(with_outputs(model, outputs), spiking=True)
    spikes, mean = session.run(None, {"x": X.astype(np.float32), "n_steps": np.asarray(STEPS)})
    spikes = spikes.reshape(STEPS, *X.shape)
    np.testing.assert_allclose(spikes.mean(axis=0), mean, rtol=1e-6)
    for t, values in enumerate(spikes):
        for channel, top in enumerate(TOP):
            heights = set(np.unique(values[:, channel])) - {0}
            assert heights == {np.float32(2 * top * STEPS / 2 ** (t + 1))}
