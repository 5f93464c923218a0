"""Which neuron takes an activation's place, and why it is another one than was named."""

from __future__ import annotations

import pytest

from converter.activations.known import ACTIVATIONS
from converter.neurons.choice import choose_neuron
from converter.options import NEURONS, Options

BY_NAME = {activation.name: activation for activation in ACTIVATIONS}


@pytest.mark.parametrize(
    ("activation", "options", "op_type", "reason"),
    [
        ("Relu", {}, "IF", ""),
        ("Relu", {"neuron": "lif"}, "LIF", ""),
        ("Relu", {"neuron": "sigma-delta"}, "SigmaDelta", ""),
        ("SiLU", {}, "SigmaDelta", ""),
        ("SiLU", {"neuron": "lif"}, "SigmaDelta", "lif neurons cannot stand for SiLU"),
        ("Tanh", {"neuron": "izhikevich"}, "Izhikevich", ""),
        ("Tanh", {"neuron": "if"}, "SigmaDelta", "if neurons cannot stand for Tanh"),
        ("Gelu", {"neuron": "if", "schedule": "two-phase"}, "CountIF", ""),
        ("Relu", {"neuron": "few-spike", "schedule": "two-phase"}, "FewSpikeMean", ""),
        (
            "Gelu",
            {"neuron": "few-spike", "schedule": "two-phase"},
            "CountIF",
            "few-spike neurons cannot stand for Gelu",
        ),
    ],
)
def test_choice(activation, options, op_type, reason) -> None:
    choice = choose_neuron(BY_NAME[activation], Options(**options))
    assert choice.neuron.op_type == op_type
    assert choice.reason == reason


@pytest.mark.parametrize(("neuron", "most"), [("if", 1), ("if-signed", 1), ("if-burst", 15), ("auto", 15)])
def test_most_spikes(neuron, most) -> None:
    assert choose_neuron(BY_NAME["Relu"], Options(neuron)).neuron.max_spikes == most
    assert choose_neuron(BY_NAME["Relu"], Options(neuron, max_spikes=3)).neuron.max_spikes == 3


@pytest.mark.parametrize("name", NEURONS)
def test_every_neuron_is_chosen_for_some_activation(name) -> None:
    """As itself: with the schedule that it works in, and for an activation that names it."""
    able = [activation for activation in ACTIVATIONS if name in activation.neurons]
    assert able
    choice = choose_neuron(able[0], Options(name, schedule=NEURONS[name].schedules[0]))
    assert choice.reason == ""
