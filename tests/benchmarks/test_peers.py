"""The peers compute what the networks say, wherever they are installed: in this environment or in one of their own."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import environments, systems
from benchmarks.process import SystemProcess
from benchmarks.systems._phases import phases
from benchmarks.workloads.catalogue import TIE, WORKLOADS, inputs_on_grid, on_grid
from benchmarks.workloads.network import Equation, Layer, Network
from tests.benchmarks.simulation import apply, simulate

N_STEPS = 8
IMPORTED = {"nengo": "nengo", "nengo-dl": "nengo_dl"}
"""What must be there for a peer to run in this environment."""
PEERS = [name for name in systems.names() if systems.system(name).requirements]
COUNTING = [
    (name, equation)
    for name in PEERS
    for equation in (Equation.IF, Equation.NENGO_IF)
    if name != "keras" and equation in systems.system(name).equations
]


def python_of(name: str) -> str:
    """Of an environment that has the peer; none is made here."""
    requirements = systems.system(name).requirements
    mark = environments.FOLDER / name / "requirements.sha256"
    if requirements and mark.exists() and mark.read_text() == environments.fingerprint(requirements):
        return str(environments.FOLDER / name / "bin" / "python")
    if name in IMPORTED and find_spec(IMPORTED[name]):
        return sys.executable
    pytest.skip(f"{name} is not installed")


def every_kind_of_layer(equation: Equation) -> Network:
    """Uneven padding, strides, an addition, a transposed convolution, pooling; numbers on the grid of the workloads."""
    layers = (
        Layer("down", "conv", ("input",), stride=2, pads=(0, 0, 1, 1)),
        Layer("n1", "neuron", ("down",)),
        Layer("even", "conv", ("n1",), pads=(1, 1, 1, 1)),
        Layer("point", "conv", ("n1",)),
        Layer("both", "add", ("even", "point")),
        Layer("n2", "neuron", ("both",)),
        Layer("skip", "add", ("point", "n2")),
        Layer("n3", "neuron", ("skip",)),
        Layer("up", "conv_transpose", ("n3",), stride=2, pads=(0, 0, 1, 1)),
        Layer("n4", "neuron", ("up",)),
        Layer("pool", "average_pool", ("n4",), size=2),
        Layer("flat", "flatten", ("pool",)),
        Layer("dense", "dense", ("flat",)),
        Layer("n5", "neuron", ("dense",)),
        Layer("scores", "dense", ("n5",)),
    )
    shapes = {
        "down": (3, 2, 3, 3),
        "even": (4, 3, 3, 3),
        "point": (4, 3, 1, 1),
        "up": (4, 3, 3, 3),
        "dense": (6, 48),
        "scores": (5, 6),
    }
    rng = np.random.default_rng(0)
    arrays = {f"{name}.weights": on_grid(0.4 * rng.normal(size=shape)) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        outputs = shape[1] if name == "up" else shape[0]
        arrays[f"{name}.bias"] = on_grid(0.1 * rng.normal(size=outputs)) + np.float32(TIE)
    return Network("every kind", equation, (2, 8, 8), layers, arrays)


def images(count: int = 3) -> np.ndarray:
    return inputs_on_grid(np.random.default_rng(1).random((count, 2, 8, 8)))


def job_of(network: Network, x: np.ndarray, folder: Path) -> dict[str, object]:
    """What a peer's process gets."""
    network.save(folder / "network.npz")
    np.savez(folder / "x.npz", x=x)
    job = {"n_steps": N_STEPS, "batch": len(x), "threads": 1, "provider": "cpu"}
    return {"network": str(folder / "network.npz"), "x": str(folder / "x.npz"), **job}


def outputs_of(process: SystemProcess, folder: Path, counted: int = 0) -> dict[str, np.ndarray]:
    process.ask("outputs", 60, to=str(folder / "y.npz"), counted=counted)
    with np.load(folder / "y.npz") as content:
        return dict(content)


def answer(name: str, network: Network, x: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """What a peer's process gives."""
    with SystemProcess(python_of(name), systems.module_of(name), 1, "cpu") as process:
        process.ask("build", 300, **job_of(network, x, folder))
        return outputs_of(process, folder, len(x))


@pytest.mark.parametrize(("name", "equation"), COUNTING, ids=str)
def test_a_peer_computes_the_network(name, equation, tmp_path) -> None:
    network, x = every_kind_of_layer(equation), images()
    found = answer(name, network, x, tmp_path)
    y, counts = simulate(network, x, N_STEPS)
    assert all(array.any() for array in counts.values())
    np.testing.assert_allclose(found["outputs"][0], y, rtol=0, atol=1e-5 * np.abs(y).max())
    for layer, count in counts.items():
        np.testing.assert_array_equal(found[f"counts.{layer}"], count, err_msg=layer)


@pytest.mark.parametrize("name", [name for name, _ in COUNTING if systems.system(name).searches])
def test_every_setting_computes_the_network(name, tmp_path) -> None:
    """Those that a search tries, whatever the search says of their speed."""
    equation = next(equation for peer, equation in COUNTING if peer == name)
    network, x = every_kind_of_layer(equation), images(5)
    y, _ = simulate(network, x, N_STEPS)
    job = job_of(network, x, tmp_path)
    with SystemProcess(python_of(name), systems.module_of(name), 1, "cpu") as process:
        process.ask("search", 600, to=str(tmp_path / "tried.txt"), seconds=300, **job)
        tried = [json.loads(line) for line in (tmp_path / "tried.txt").read_text().splitlines()]
        ran = [each["setting"] for each in tried if "seconds" in each]
        assert len(ran) >= 2
        for setting in ran:
            process.ask("build", 300, setting=setting, **job)
            found = outputs_of(process, tmp_path)["outputs"][0]
            np.testing.assert_allclose(found, y, rtol=0, atol=1e-5 * np.abs(y).max(), err_msg=str(setting))


@pytest.mark.parametrize("name", ["nengo", "nengo-dl"])
def test_lif_fires_when_its_equation_says(name, tmp_path) -> None:
    """A constant current J fires every tau_ref + tau_rc log(J / (J - 1)) steps; the first spike has no refractory time."""
    layers = (Layer("dense", "dense", ("input",)), Layer("n", "neuron", ("dense",)))
    currents = np.array([[0.5, 1.5, 3.0, 8.0, 40.0]], np.float32)
    arrays = {"dense.weights": np.eye(5, dtype=np.float32), "dense.bias": np.zeros(5, np.float32)}
    network = Network("lif", Equation.NENGO_LIF, (5,), layers, arrays)
    found = answer(name, network, currents, tmp_path)
    with np.errstate(invalid="ignore"):
        period = 2 + 20 * np.log(currents / (currents - 1))
    expected = np.where(currents > 1, np.floor((N_STEPS + 2) / period), 0)
    np.testing.assert_array_equal(found["counts.n"], expected)


def test_keras_computes_the_trained_model(tmp_path) -> None:
    network, x = every_kind_of_layer(Equation.IF), images()
    values = {"input": x.astype(np.float64)}
    for layer in network.layers:
        given = [values[name] for name in layer.inputs]
        values[layer.name] = np.maximum(given[0], 0) if layer.kind == "neuron" else apply(network, layer, given)
    y = values["scores"]
    found = answer("keras", network, x, tmp_path)["outputs"][0]
    np.testing.assert_allclose(found, y, rtol=0, atol=1e-5 * np.abs(y).max())


def test_what_runs_once_and_what_at_every_step() -> None:
    found = phases(every_kind_of_layer(Equation.IF))
    assert [layer.name for layer in found.once] == ["down"]
    assert [layer.name for layer in found.last] == ["scores"]
    assert found.means == ("n5",)
    names = [layer.name for layer in (*found.once, *found.steps, *found.last)]
    assert names == [layer.name for layer in every_kind_of_layer(Equation.IF).layers]


def test_neurons_at_the_end_are_the_answer() -> None:
    found = phases(WORKLOADS["layer-1k"]().network(Equation.IF))
    assert found.last == ()
    assert found.means == ("dense_neurons",)


@pytest.mark.parametrize("name", PEERS)
def test_all_requirements_are_pinned(name) -> None:
    lines = systems.system(name).requirements.read_text().split()
    assert lines
    assert all("==" in line for line in lines), name
