"""Biological neurons: amplitude * rate(gain * x + bias) + offset, against Nengo's rates and neurons."""

from __future__ import annotations

import numpy as np
import pytest

from converter.graph.build import set_constant, set_operand
from converter.neurons.fitted import AdaptiveLIFNeuron, FittedNeuron, IzhikevichNeuron, LIFNeuron
from converter.neurons.neuron import Placed
from tests.neurons.placed import held, mean, numbers, place, run
from tests.passes import op_types

nengo = pytest.importorskip("nengo")

LIF = LIFNeuron(tau_rc=0.03, min_voltage=0.0, dt=0.001)
ADAPTIVE = AdaptiveLIFNeuron(tau_rc=0.03, min_voltage=0.0, dt=0.001, tau_n=0.1, inc_n=0.02)
IZHIKEVICH = IzhikevichNeuron(dt=0.001)
GAIN, BIAS = np.asarray([1.0, 2.0, 3.0, -2.0]), np.asarray([0.5, 1.0, 0.0, 4.0])
AMPLITUDE, OFFSET = np.asarray([0.01, 0.02, 0.05, 0.03]), np.asarray([0.0, -1.0, -0.5, -0.2])


def fitted(neuron: FittedNeuron, op_type: str):
    """With numbers that a fit might have found."""
    model, placed = place(neuron, op_type)
    for name, value in placed.constants.items():
        set_constant(value, {"gain": GAIN, "bias": BIAS, "amplitude": AMPLITUDE, "offset": OFFSET}[name])
    if not neuron.amplitude_follows:
        set_operand(placed.node, "amplitude", AMPLITUDE)
    return model, placed


def by_nengo(neuron, currents: np.ndarray, **states: np.ndarray) -> np.ndarray:
    """Spikes of constant currents, 1 / dt high, [steps, ...]."""
    spikes = np.zeros_like(currents)
    with np.errstate(all="ignore"):
        for out, current in zip(spikes, currents, strict=True):
            neuron.step(0.001, current.copy(), out, **states)
    return spikes


@pytest.mark.parametrize("op_type", ["Relu", "Tanh"])
def test_lif_is_nengos_rate(op_type) -> None:
    """Over many steps; the offset only where the activation takes negative values."""
    model, placed = fitted(LIF, op_type)
    has_offset = op_type == "Tanh"
    assert op_types(model) == ["Mul", "Add", "LIF", *(["Add"] if has_offset else [])]
    assert set(placed.constants) == {"gain", "bias"} | ({"offset"} if has_offset else set())
    x, steps = numbers(20, -1, 2), 4000
    tau_ref = placed.node.attributes["tau_ref"].as_float()
    rate = np.zeros_like(x)
    nengo.LIFRate(tau_rc=0.03, tau_ref=tau_ref).step(0.001, GAIN * x + BIAS, rate)
    assert (rate == 0).any() and (rate > 50).any()
    found = mean(run(model, held(x, steps), steps), steps)
    expected = AMPLITUDE * rate + (OFFSET if has_offset else 0)
    np.testing.assert_allclose(found, expected, atol=float(AMPLITUDE.max()) * 1.5)  # about one spike of four seconds


def test_adaptive_lif_has_its_amplitude_after_the_neuron() -> None:
    """The adaptation sees spikes of height 1 / dt, whatever they are worth."""
    model, placed = fitted(ADAPTIVE, "Relu")
    assert op_types(model) == ["Mul", "Add", "AdaptiveLIF", "Mul"]
    x, steps = numbers(10, -1, 4), 300
    states = {name: np.zeros_like(x) for name in ("voltage", "refractory_time", "adaptation")}
    neuron = nengo.AdaptiveLIF(tau_rc=0.03, tau_ref=0.002, tau_n=0.1, inc_n=0.02)
    expected = by_nengo(neuron, np.tile(GAIN * x + BIAS, (steps, 1, 1)), **states).mean(axis=0) * AMPLITUDE
    found = mean(run(model, held(x, steps), steps), steps)
    assert (expected > 0).mean() > 0.5
    np.testing.assert_allclose(
        found, expected, atol=float(AMPLITUDE.max()) * 4
    )  # a spike of 300 steps is 3.3 of a second
    np.testing.assert_allclose(placed.spike_heights(), AMPLITUDE / 0.001, rtol=1e-6)


def test_izhikevich_begins_at_rest() -> None:
    """At -65 and 0.2 * -65 with Nengo's default parameters."""
    rest = IZHIKEVICH.states_at_rest()
    assert {name: float(value) for name, value in rest.items()} == {"voltage": -65, "recovery": -13}
    assert set(LIF.states_at_rest()) == {"voltage", "refractory_time"}
    assert not any(value.any() for value in LIF.states_at_rest().values())


@pytest.mark.parametrize(
    ("neuron", "twin"), [(LIF, nengo.LIF(tau_rc=0.03)), (IZHIKEVICH, nengo.Izhikevich())], ids=["lif", "izhikevich"]
)
def test_a_neuron_begins_to_fire_about_its_threshold_current(neuron, twin) -> None:
    """In Nengo, from rest: silent a little below it and not above."""
    around = neuron.threshold_current * np.asarray([0.9, 1.1])
    rest = {name: np.full(2, float(value)) for name, value in neuron.states_at_rest().items()}
    spikes = by_nengo(twin, np.tile(around, (2000, 1)), **rest)
    assert (spikes[1000:].any(axis=0) == [False, True]).all()


def test_who_has_a_refractory_time() -> None:
    assert LIF.has_refractory_time
    assert ADAPTIVE.has_refractory_time
    assert not IZHIKEVICH.has_refractory_time


def test_numbers_are_placeholders_until_they_are_fitted() -> None:
    placed: Placed = place(LIF, "Relu")[1]
    assert all(not value.const_value.numpy().any() for value in placed.constants.values())
