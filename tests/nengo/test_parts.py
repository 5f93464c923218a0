"""The parts of exported networks, each by itself: neurons against the operators' NumPy references, wiring against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx.parser
import onnxruntime as ort
import pytest

pytest.importorskip("nengo")

import nengo

from converter.nengo import parts
from snn_ops import reference

STEPS, SIZE = 30, 50
RNG = np.random.default_rng(0)
CURRENTS = RNG.normal(0.3, 1.2, (STEPS, SIZE))
THRESHOLDS = RNG.uniform(0.5, 1.5, SIZE)
RESTS, EXPONENTS = RNG.normal(0, 0.5, SIZE), RNG.integers(-2, 9, SIZE).astype(float)
NEURONS = {
    "IF": (parts.IF(THRESHOLDS), reference.if_(CURRENTS, STEPS, THRESHOLDS).spikes),
    "IF, burst": (parts.IF(THRESHOLDS, 3), reference.if_(CURRENTS, STEPS, THRESHOLDS, max_spikes=3).spikes),
    "IF, no limit, signed": (
        parts.IF(THRESHOLDS, 0, 1),
        reference.if_(CURRENTS, STEPS, THRESHOLDS, max_spikes=0, signed=True).spikes,
    ),
    "SigmaDelta": (parts.SigmaDelta(THRESHOLDS), reference.sigma_delta(CURRENTS, STEPS, THRESHOLDS).spikes),
    "SigmaDelta, no limit": (
        parts.SigmaDelta(THRESHOLDS, 0),
        reference.sigma_delta(CURRENTS, STEPS, THRESHOLDS, max_spikes=0).spikes,
    ),
    "MultiThreshold": (
        parts.MultiThreshold(THRESHOLDS, RESTS, EXPONENTS, refinements=5),
        reference.multi_threshold(CURRENTS, STEPS, THRESHOLDS, RESTS, EXPONENTS, refinements=5).total,
    ),
    "MultiThreshold, several spikes": (
        parts.MultiThreshold(THRESHOLDS, RESTS, EXPONENTS, 4),
        reference.multi_threshold(CURRENTS, STEPS, THRESHOLDS, RESTS, EXPONENTS, max_spikes=4).total,
    ),
    "MultiThresholdSum": (
        parts.MultiThresholdSum(THRESHOLDS, RESTS, EXPONENTS, 6),
        reference.multi_threshold_sum(CURRENTS, 6, THRESHOLDS, RESTS, EXPONENTS),
    ),
    "Rate": (parts.Rate(), CURRENTS),
    "RunningMean": (parts.RunningMean(), np.cumsum(CURRENTS, axis=0) / np.arange(1, STEPS + 1)[:, None]),
    "RunningDifference": (
        parts.RunningDifference(),
        np.diff(CURRENTS * np.arange(1, STEPS + 1)[:, None], axis=0, prepend=0),
    ),
    "AdaptiveLIF": (
        parts.AdaptiveLIF(THRESHOLDS, tau_n=0.05, inc_n=0.2, initial_state={"voltage": nengo.dists.Choice([0])}),
        reference.adaptive_lif(5 * CURRENTS, STEPS, THRESHOLDS, tau_n=0.05, inc_n=0.2).spikes,
    ),
    "SoftLIFRate": (parts.SoftLIFRate(sigma=0.1), reference.soft_lif_rate(CURRENTS, sigma=0.1)),
}


def simulated(build: Callable[[], object], steps: int = 1) -> np.ndarray:
    """What the node or the neurons that `build` makes give, step by step."""
    with nengo.Network() as network:
        probe = nengo.Probe(build())
    with np.errstate(divide="ignore"), nengo.Simulator(network, progress_bar=False) as simulator:
        simulator.run_steps(steps, progress_bar=False)
    return simulator.data[probe]


@pytest.mark.parametrize("name", NEURONS)
def test_neurons_in_a_network(name) -> None:
    """Driven as they are: gain 1, bias 0, in the same step."""
    neuron_type, expected = NEURONS[name]
    drive = 5 * CURRENTS if name == "AdaptiveLIF" else CURRENTS

    def build():
        current = nengo.Node(lambda t: drive[round(t / 0.001) - 1], size_out=SIZE)
        return parts.neurons("layer", current, neuron_type)

    found = simulated(build, STEPS)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def source(values: np.ndarray):
    return nengo.Node(values.ravel(), label="source")


X = RNG.normal(size=(3, 4, 5))


def test_moving_and_scaling() -> None:
    index = np.asarray([7, -1, 0, 59, 7])
    expected = np.asarray([X.ravel()[7], 0, X.ravel()[0], X.ravel()[59], X.ravel()[7]])

    def moved():
        y = parts.value("y", 5)
        parts.move(source(X), y, index)
        return y

    np.testing.assert_array_equal(simulated(moved)[0], expected)
    factors = parts.spread(np.asarray([1.0, -2.0, 0.5]).reshape(3, 1, 1), X.shape)
    scaled = simulated(lambda: parts.scaled("y", source(X), factors))
    np.testing.assert_allclose(scaled[0], (X * [[[1.0]], [[-2.0]], [[0.5]]]).ravel())


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 4, 5), (5,), ()])
def test_constants_are_added_as_numpy_broadcasts_them(shape) -> None:
    """And the connection has one weight for each number, which training may change."""
    values = RNG.normal(size=shape)
    weights = []

    def build():
        y = parts.scaled("y", source(X), 1.0)
        weights.append(parts.add_constant(y, values, X.shape).transform.init)
        return y

    np.testing.assert_allclose(simulated(build)[0], (X + values).ravel())
    np.testing.assert_array_equal(np.ravel(weights), values.ravel())


POOLS = {
    "pads": ((3, 2), (2, 1), (1, 0, 1, 1), (1, 1)),
    "no pads": ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
    "dilations": ((2, 2), (1, 1), (0, 1, 0, 1), (2, 3)),
}


def pooled(op_type: str, kernel, strides, pads, dilations) -> np.ndarray:
    """By ONNX Runtime, [channels, ...]."""
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    if op_type == "AveragePool" and dilations == (1, 1):
        del attributes["dilations"]
    text = ", ".join(f"{name} = {list(values)}" for name, values in attributes.items())
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 19]> m (float[1,3,4,5] x) => (float[1,3,h,w] y) {{ y = {op_type}<{text}>(x) }}'
    )
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": X[None].astype(np.float32)})[0][0]


@pytest.mark.parametrize("case", POOLS)
def test_windows_are_those_of_a_pooling(case) -> None:
    kernel, strides, pads, dilations = POOLS[case]
    largest, mean = (pooled(op_type, *POOLS[case]) for op_type in ("MaxPool", "AveragePool"))
    index = parts.windows(X.shape, kernel, strides, pads[:2], dilations, largest.shape)
    assert index.shape == (largest.size, np.prod(kernel))
    padded = np.append(X.ravel(), -np.inf)
    np.testing.assert_allclose(padded[index].max(axis=1), largest.ravel(), rtol=1e-6)

    def averaged():
        y = parts.value("y", mean.size)
        parts.average(source(X), y, index, (index >= 0).sum(axis=1))
        return y

    np.testing.assert_allclose(simulated(averaged)[0], mean.ravel(), rtol=1e-5, atol=1e-6)


def test_a_function_of_several_values() -> None:
    a, b = X[0].ravel(), X[1].ravel()
    found = simulated(lambda: parts.apply("y", lambda x, z: x - 2 * z, [source(a), source(b)], a.size))
    np.testing.assert_allclose(found[0], a - 2 * b)


def test_what_neurons_drive_may_come_through_a_synapse() -> None:
    """A step later than without one."""

    def build(synapse):
        return parts.driven_by("y", nengo.Node(lambda t: [t * 1000, -t * 1000], size_out=2), synapse, [1.0, 2.0])

    plain, filtered = (simulated(lambda synapse=synapse: build(synapse), 20) for synapse in (None, nengo.Lowpass(0.01)))
    np.testing.assert_allclose(plain, np.outer(np.arange(1, 21), [1, -2]), rtol=1e-9)
    expected = nengo.Lowpass(0.01).filt(plain, dt=0.001, y0=0)
    np.testing.assert_allclose(filtered[1:], expected[:-1], rtol=1e-9, atol=1e-12)
    assert not filtered[0].any()
