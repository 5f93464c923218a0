"""The workloads: on the grid, alive, and run by our systems as NumPy simulates them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.systems import system
from benchmarks.systems.system import Job, Runner
from benchmarks.workloads.catalogue import (
    INPUT_GRID,
    TIE,
    WEIGHT_GRID,
    WORKLOADS,
    inputs_on_grid,
    on_grid,
    weights_file,
)
from benchmarks.workloads.network import Equation, Network
from tests.benchmarks.simulation import simulate

TRAINED = [name for name, make in WORKLOADS.items() if make().trained and weights_file(name) == name]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A system's runner for a network."""

    def run(name: str, network: Network, n_steps: int, batch: int, **settings: bool) -> Runner:
        shared = str(tmp_path_factory.mktemp("shared"))
        return system(name).build(Job(network, n_steps, batch, 1, shared=shared, **settings))

    return run


SIMULATED = ("lenet-5", "mlp", "autoencoder", "resnet-8", "layer-1k")


def test_numbers_on_the_grid() -> None:
    rng = np.random.default_rng(0)
    weights, inputs = on_grid(rng.normal(0, 1, 1000)), inputs_on_grid(rng.random(1000))
    assert abs(weights).max() < 2
    np.testing.assert_array_equal(weights, np.round(weights / WEIGHT_GRID) * WEIGHT_GRID)
    np.testing.assert_array_equal(inputs, np.round(inputs / INPUT_GRID) * INPUT_GRID)
    assert abs(weights - rng.permutation(weights)).max() > 1  # they are not all the same


@pytest.mark.parametrize("name", TRAINED)
def test_trained_weights_lie_on_the_grid(name) -> None:
    workload = WORKLOADS[name]()
    arrays = workload.trained_weights()
    assert {key.rpartition(".")[0] for key in arrays} == set(workload.shapes)
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, on_grid(array))
        if key.endswith(".weights"):
            assert array.shape == workload.shapes[key.removesuffix(".weights")]
    biases = [a for key, a in workload.network(Equation.IF).arrays.items() if key.endswith(".bias")]
    assert all(((bias - TIE) / WEIGHT_GRID % 1 == 0).all() for bias in biases)


def test_sums_are_exact_in_any_order() -> None:
    """In float32, forwards, backwards and pairwise: the same bits; of numbers that are not on the grid they are not."""
    workload = WORKLOADS["mlp"]()
    weights, bias = workload.network(Equation.IF).weights(workload.layers[1])
    x = workload.inputs(1).reshape(-1)
    products = [x * row for row in weights]
    assert all(ordered(p) == ordered(p[::-1]) == p.sum() for p in products)
    assert all(
        np.float64(ordered(p) + b) == p.astype(np.float64).sum() + b for p, b in zip(products, bias, strict=True)
    )
    rough = [np.random.default_rng(0).random(len(x), np.float32) * row for row in weights]
    assert any(ordered(p) != ordered(p[::-1]) for p in rough)


def ordered(numbers: np.ndarray) -> np.float32:
    return np.cumsum(numbers, dtype=np.float32)[-1]


@pytest.mark.parametrize("name", SIMULATED)
@pytest.mark.parametrize("equation", [Equation.IF, Equation.NENGO_IF])
def test_our_systems_compute_what_numpy_does(name, equation, build) -> None:
    """To the last spike, and the neurons are neither silent nor always on."""
    workload = WORKLOADS[name]()
    network, x = workload.network(equation), workload.inputs(2)
    y, counts = simulate(network, x, 8)
    runner = build("onnx-snn", network, 8, 2)
    found = runner.spike_counts(x)
    assert set(found) == set(counts) == set(network.neurons)
    for layer, count in counts.items():
        np.testing.assert_array_equal(found[layer], count, layer)
    np.testing.assert_allclose(runner.run(x), y, atol=1e-5 * abs(y).max())
    rate = sum(count.sum() for count in counts.values()) / sum(count.size for count in counts.values()) / 8
    assert 0.02 < rate < 0.35


def test_the_layer_of_lif_is_nengos(build) -> None:
    nengo = pytest.importorskip("nengo")
    workload = WORKLOADS["layer-1k"]()
    network, x = workload.network(Equation.NENGO_LIF), workload.inputs(1)
    weights, bias = (array.astype(np.float64) for array in network.weights(workload.layers[0]))
    current, lif = x[0] @ weights.T + bias, nengo.LIF(tau_rc=20, tau_ref=2)
    output, voltage, refractory = (np.zeros_like(current) for _ in range(3))
    count = np.zeros_like(current)
    for _ in range(16):
        lif.step(1.0, current, output, voltage=voltage, refractory_time=refractory)
        count += output > 0
    found = build("onnx-snn", network, 16, 1).spike_counts(x)["dense_neurons"][0]
    assert (found != count).mean() < 2e-3
    assert 0.01 < count.mean() / 16 < 0.25


def test_a_stream_is_the_same_run_in_single_steps(build) -> None:
    workload = WORKLOADS["stream"]()
    network, x = workload.network(Equation.IF), workload.inputs(1)
    runner = build("onnx-snn", network, 1, 1, stream=True)
    for n_steps in range(1, 9):
        y = runner.run(x)
        np.testing.assert_allclose(y, simulate(network, x, n_steps)[0], atol=1e-5 * abs(y).max())


def test_two_phase_is_one_layer_after_the_other(build) -> None:
    """Each layer fires as long as its mean current allows: counts are floors of T times that."""
    workload = WORKLOADS["mlp"]()
    network, x = workload.network(Equation.IF), workload.inputs(4)
    found = build("onnx-snn-two-phase", network, 8, 4).spike_counts(x)
    mean = x.reshape(4, -1).astype(np.float64)
    for layer in network.layers:
        if layer.kind == "dense":
            weights, bias = network.weights(layer)
            mean = mean @ weights.T.astype(np.float64) + bias
        elif layer.kind == "neuron":
            count = np.clip(np.floor(8 * mean), 0, 8)
            np.testing.assert_array_equal(found[layer.name], count)
            mean = count / 8


def test_a_network_is_the_same_from_its_file(tmp_path) -> None:
    for name in ("resnet-8", "operator-if-bursts"):
        workload = WORKLOADS[name]()
        network = workload.network(workload.equations[0])
        network.save(tmp_path / "n.npz")
        again = Network.load(tmp_path / "n.npz")
        assert (again.layers, again.input_shape, again.equation) == (
            network.layers,
            network.input_shape,
            network.equation,
        )
        assert all((again.arrays[key] == array).all() for key, array in network.arrays.items())


def test_an_equation_that_a_workload_does_not_have() -> None:
    with pytest.raises(ValueError, match="vgg-11 has no equation nengo-lif"):
        WORKLOADS["vgg-11"]().network(Equation.NENGO_LIF)
