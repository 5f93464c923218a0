"""The parts in TensorFlow against the parts in NumPy that they stand in for."""

from __future__ import annotations

import importlib
import importlib.util
import inspect

import numpy as np
import pytest

pytest.importorskip("nengo")
if importlib.util.find_spec("nengo_dl") is None:
    pytest.skip("NengoDL is not installed", allow_module_level=True)

import nengo

from converter.nengo import functions, parts
from converter.nengo.dl.shim import import_nengo_dl
from converter.nengo.dl.simulator import without_warnings

nengo_dl = import_nengo_dl()

from converter.nengo.dl.parts import NAMESPACE  # noqa: E402

STEPS, SIZE = 20, 60
RNG = np.random.default_rng(0)
CURRENTS = RNG.normal(0.3, 1.2, (STEPS, SIZE)).astype(np.float32)
THRESHOLDS = RNG.choice([0.5, 1.0, 2.0], SIZE)
RESTS, EXPONENTS = RNG.normal(0, 0.5, SIZE), RNG.integers(-2, 7, SIZE).astype(float)
NEURONS = {
    "IF": parts.IF(THRESHOLDS),
    "IF, burst, signed": parts.IF(THRESHOLDS, 3, 1),
    "IF, no limit": parts.IF(THRESHOLDS, 0),
    "SigmaDelta": parts.SigmaDelta(THRESHOLDS),
    "SigmaDelta, no limit": parts.SigmaDelta(THRESHOLDS, 0),
    "MultiThreshold": parts.MultiThreshold(THRESHOLDS, RESTS, EXPONENTS, refinements=3),
    "MultiThreshold, several spikes": parts.MultiThreshold(THRESHOLDS, RESTS, EXPONENTS, 4),
    "MultiThresholdSum": parts.MultiThresholdSum(THRESHOLDS, RESTS, EXPONENTS, 6),
    "Rate": parts.Rate(),
    "RunningMean": parts.RunningMean(),
    "RunningDifference": parts.RunningDifference(),
    "AdaptiveLIF, an amplitude for each": parts.AdaptiveLIF(THRESHOLDS, tau_n=0.05, inc_n=0.2),
    "AdaptiveLIF": nengo.AdaptiveLIF(amplitude=0.5, tau_n=0.05),
    "SoftLIFRate": parts.SoftLIFRate(sigma=0.1),
    "Izhikevich": nengo.Izhikevich(),
}


@pytest.mark.parametrize("name", NEURONS)
def test_neurons_spike_as_in_nengo(name) -> None:
    """In float32, where a neuron at its threshold to the last digit may spike a step later."""
    scale = {"AdaptiveLIF": 5, "AdaptiveLIF, an amplitude for each": 5, "Izhikevich": 10}.get(name, 1)
    with nengo.Network(seed=0) as network:
        current = nengo.Node(lambda t: scale * CURRENTS[min(round(t / 0.001), STEPS) - 1], size_out=SIZE)
        probe = nengo.Probe(parts.neurons("layer", current, NEURONS[name]))
    with np.errstate(all="ignore"), nengo.Simulator(network, progress_bar=False) as simulator:
        simulator.run_steps(STEPS, progress_bar=False)
        expected = simulator.data[probe]
    with without_warnings(), nengo_dl.Simulator(network, progress_bar=False) as simulator:
        simulator.run_steps(STEPS, progress_bar=False)
        found = simulator.data[probe].reshape(expected.shape)
    assert expected.any()
    off = ~np.isclose(found, expected, rtol=1e-3, atol=1e-3)
    assert off.mean() <= 2 / expected.size


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IF", lambda x: np.clip(x, 0, THRESHOLDS)),
        ("IF, burst, signed", lambda x: np.clip(x, 0, 3 * THRESHOLDS)),
        ("IF, no limit", lambda x: np.maximum(x, 0)),
        ("SigmaDelta", lambda x: np.clip(x, -THRESHOLDS, THRESHOLDS)),
        ("MultiThreshold", lambda x: x),
        ("MultiThresholdSum", lambda x: x),
        ("Rate", lambda x: x),
        ("RunningMean", lambda x: x),
        ("RunningDifference", lambda x: x),
        ("Izhikevich", lambda x: 0 * x),
    ],
)
def test_in_training_a_neuron_is_its_rate(name, expected) -> None:
    """Of one step at a constant current: the loss of a training that does not learn."""
    tf = importlib.import_module("tensorflow")
    with nengo.Network() as network:
        source = nengo.Node(np.zeros(SIZE))
        probe = nengo.Probe(parts.neurons("layer", source, NEURONS[name]))
    x = RNG.normal(0, 2, (4, 1, SIZE)).astype(np.float32)
    y = expected(x)
    with without_warnings(), nengo_dl.Simulator(network, minibatch_size=4, progress_bar=False) as simulator:
        simulator.compile(optimizer=tf.keras.optimizers.SGD(0.0), loss="mse")
        losses = [
            simulator.fit({source: x}, {probe: target}, epochs=1, verbose=0).history["loss"][0]
            for target in (y, y + 0.1)
        ]
    assert losses[0] < 1e-10
    assert losses[1] == pytest.approx(0.01, rel=1e-3)


ARGUMENTS = {"leaky_relu": (0.3,), "elu": (1.5,), "clip": (-0.5, 2.0), "hard_sigmoid": (0.25, 0.6)}


def test_every_function_has_a_twin() -> None:
    own = {name for name, value in vars(functions).items() if inspect.isfunction(value)}
    assert own | {"apply"} == set(NAMESPACE)


@pytest.mark.parametrize("name", sorted(set(NAMESPACE) - {"apply", "largest", "multiply"}))
def test_a_function_is_its_twin(name) -> None:
    """On each sample of a batch."""
    x = np.stack([np.linspace(-9, 9, 91), np.linspace(30, -30, 91)])
    twins = NAMESPACE[name], getattr(functions, name)
    of_tensorflow, of_numpy = (f(*ARGUMENTS[name]) if name in ARGUMENTS else f for f in twins)
    tf = importlib.import_module("tensorflow")
    found = of_tensorflow(tf.constant(x, tf.float32)).numpy()
    np.testing.assert_allclose(found, [of_numpy(row) for row in x], rtol=1e-5, atol=1e-6)


def test_the_largest_and_the_product() -> None:
    tf = importlib.import_module("tensorflow")
    x = RNG.normal(size=(2, 6)).astype(np.float32) - 3
    index = np.asarray([[0, 1], [2, -1], [-1, 5], [4, 3]])
    found = NAMESPACE["largest"](index)(tf.constant(x)).numpy()
    np.testing.assert_array_equal(found, [functions.largest(index)(row) for row in x])
    np.testing.assert_array_equal(NAMESPACE["multiply"](tf.constant(x), tf.constant(x[::-1])).numpy(), x * x[::-1])


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("channels_last", [True, False])
def test_convolutions_are_nengos(groups, channels_last) -> None:
    shape = (6, 5, 4) if channels_last else (4, 6, 5)
    kernel = RNG.normal(size=(3, 3, 4 // groups, 6)).astype(np.float32)
    x = RNG.normal(size=shape).astype(np.float32)
    with nengo.Network() as network:
        source = nengo.Node(x.ravel())
        transform = nengo.Convolution(
            6, shape, strides=(2, 1), channels_last=channels_last, kernel_size=(3, 3), init=kernel, groups=groups
        )
        y = nengo.Node(size_in=transform.size_out)
        nengo.Connection(source, y, transform=transform, synapse=None)
        probe = nengo.Probe(y)
    with nengo.Simulator(network, progress_bar=False) as simulator:
        simulator.run_steps(1, progress_bar=False)
        expected = simulator.data[probe][0]
    with without_warnings(), nengo_dl.Simulator(network, progress_bar=False) as simulator:
        simulator.run_steps(1, progress_bar=False)
        found = simulator.data[probe].reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
