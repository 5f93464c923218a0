"""The operators against their twins in Nengo: the same neuron types, stepped by Nengo's own code in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

nengo = pytest.importorskip("nengo")

from snn_ops.ops import OPERATORS, decimal  # noqa: E402
from snn_ops.single import SingleOperator  # noqa: E402

NEURONS = 250
STEPS = 40


def step_nengo(neuron, currents: np.ndarray, dt: float, state: dict[str, np.ndarray]):
    """currents [T, N] -> output [T, N]; `state` is updated in place."""
    outputs = np.empty_like(currents)
    for t, current in enumerate(currents):
        neuron.step(dt, current.copy(), outputs[t], **state)
    return outputs


def run_ours(op_type: str, way: str, inputs, attributes):
    if way == "reference":
        return OPERATORS[op_type].run(*inputs, **attributes)
    return SingleOperator(op_type, native=way == "native", **attributes)(*inputs)


def decimals(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of at most six significant digits, as attributes carry them."""
    return st.floats(low, high).map(decimal)


@pytest.mark.parametrize("way", ["reference", "native", "function"])
@settings(max_examples=10, deadline=None)
@given(
    tau_rc=decimals(0.002, 0.1),
    tau_ref=decimals(0, 0.005),
    min_voltage=decimals(-2, 0),
    amplitude=decimals(0.01, 3),
    dt=st.sampled_from([0.001, 0.0005, 0.002]),
    seed=st.integers(0, 2**32 - 1),
)
def test_lif(way, tau_rc, tau_ref, min_voltage, amplitude, dt, seed) -> None:
    rng = np.random.default_rng(seed)
    currents = rng.uniform(-2, 12, NEURONS) + rng.normal(0, 3, (STEPS, NEURONS))
    voltage, refractory = rng.uniform(0, 1.2, NEURONS), rng.uniform(0, 0.003, NEURONS)
    attributes = {"tau_rc": tau_rc, "tau_ref": tau_ref, "min_voltage": min_voltage, "dt": dt}
    inputs = [currents.reshape(-1), np.asarray(STEPS), np.asarray(amplitude), voltage, refractory]
    spikes, v, r = run_ours("LIF", way, inputs, attributes)
    twin = nengo.LIF(tau_rc=tau_rc, tau_ref=tau_ref, min_voltage=min_voltage, amplitude=amplitude)
    state = {"voltage": voltage.copy(), "refractory_time": refractory.copy()}
    expected = step_nengo(twin, currents, dt, state)
    np.testing.assert_array_equal(spikes.reshape(expected.shape), expected)
    np.testing.assert_allclose(v, state["voltage"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(r, state["refractory_time"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", ["reference", "native", "function"])
@settings(max_examples=10, deadline=None)
@given(amplitude=decimals(0.01, 3), seed=st.integers(0, 2**32 - 1))
def test_if_is_spiking_rectified_linear(way, amplitude, seed) -> None:
    """With threshold = amplitude / dt and no limit on spikes; Nengo counts its voltage in spikes."""
    dt = 0.001
    rng = np.random.default_rng(seed)
    currents = rng.uniform(0, 3000, (STEPS, NEURONS))
    voltage = rng.uniform(0, 1, NEURONS)
    inputs = [
        currents.reshape(-1) * amplitude,
        np.asarray(STEPS),
        np.asarray(amplitude / dt),
        voltage * amplitude / dt,
        np.zeros(()),
    ]
    spikes, v, count = run_ours("IF", way, inputs, {"max_spikes": 0})
    state = {"voltage": voltage.copy()}
    expected = step_nengo(nengo.SpikingRectifiedLinear(amplitude=amplitude), currents, dt, state)
    np.testing.assert_allclose(spikes.reshape(expected.shape), expected, rtol=1e-12)
    np.testing.assert_allclose(v * dt / amplitude, state["voltage"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(count, np.round(expected.sum(axis=0) * dt / amplitude))


def test_float32_lif_differs_in_at_most_one_spike_of_100000() -> None:
    rng = np.random.default_rng(5)
    steps, neurons = 200, 2500
    currents = rng.uniform(-1, 8, neurons) + rng.normal(0, 1, (steps, neurons))
    zero = np.zeros((), np.float32)
    spikes, *_ = SingleOperator("LIF")(
        currents.astype(np.float32).reshape(-1), np.asarray(steps), np.float32(1), zero, zero
    )
    state = {"voltage": np.zeros(neurons), "refractory_time": np.zeros(neurons)}
    expected = step_nengo(nengo.LIF(), currents.astype(np.float32).astype(np.float64), 0.001, state)
    assert expected.any()
    assert (spikes.reshape(expected.shape) != expected).sum() <= expected.size / 100_000
