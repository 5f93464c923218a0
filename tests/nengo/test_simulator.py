"""nengo.Simulator, sample after sample: what it gives, and that nothing of a sample stays for the next."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")

import snn_ops
from converter import convert
from converter.nengo.double_precision import as_float64
from converter.nengo.network import NengoModel, to_nengo
from converter.nengo.simulator import CoreSimulator
from tests.models import mlp, samples, save

STEPS = 12
X = samples(mlp(), 5).astype(np.float64)


@pytest.fixture(scope="module")
def proto(tmp_path_factory) -> onnx.ModelProto:
    path = save(mlp(), tmp_path_factory.mktemp("model") / "m.onnx")
    return convert(path, samples(mlp()), neuron="if", method="percentile", correction="none").proto()


@pytest.fixture(scope="module")
def network(proto) -> NengoModel:
    return to_nengo(proto)


def test_outputs_and_spikes_are_the_models(proto, network) -> None:
    """Outputs after every step; spikes as high as in the model."""
    probe = as_float64(proto)
    nodes = [node for node in probe.graph.node if node.op_type == "IF"]
    probe.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in nodes)
    y, *trains = snn_ops.Session(probe).run_batch({"x": X}, STEPS)
    with CoreSimulator(network, [node.name for node in nodes]) as simulator:
        outputs, recorded = simulator.run({"x": X}, STEPS)
    assert outputs["y"].shape == (5, STEPS, 4)
    np.testing.assert_allclose(outputs["y"][:, -1], y, rtol=0, atol=1e-12)
    for node, train in zip(nodes, trains, strict=True):
        assert train.any()
        np.testing.assert_allclose(recorded[node.name], train.reshape(STEPS, 5, -1).swapaxes(0, 1), atol=1e-12)


def test_a_state_is_recorded_instead_of_the_spikes(network) -> None:
    """What a neuron receives is either sent or kept: the voltage after a step is the one before it, and the current."""
    with CoreSimulator(network, ["first"]) as simulator:
        _, spikes = simulator.run({"x": X}, STEPS)
    with CoreSimulator(network, ["first"], {"first": "voltage"}) as simulator:
        _, voltages = simulator.run({"x": X}, STEPS)
    weights = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in mlp().graph.initializer}
    current = X @ weights["W1"] + weights["B1"]
    change = np.diff(voltages["first"], axis=1)
    np.testing.assert_allclose(change + spikes["first"][:, 1:], np.tile(current[:, None], (1, STEPS - 1, 1)), atol=1e-9)


def test_a_sample_leaves_nothing_behind(network) -> None:
    with CoreSimulator(network) as simulator:
        together, _ = simulator.run({"x": X}, STEPS)
        again, _ = simulator.run({"x": X}, STEPS)
        alone = [simulator.run({"x": X[i : i + 1]}, STEPS)[0]["y"] for i in (4, 0, 2)]
    np.testing.assert_array_equal(again["y"], together["y"])
    np.testing.assert_array_equal(np.concatenate(alone), together["y"][[4, 0, 2]])
    assert not np.allclose(together["y"][0], together["y"][1])


def test_the_network_keeps_no_probes(network) -> None:
    assert not network.network.probes
    with CoreSimulator(network, ["first", "second"]):
        assert len(network.network.probes) == 3
    assert not network.network.probes
