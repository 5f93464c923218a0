"""Networks in memory compute what the model computes, step by step."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")

import nengo

from converter import convert
from converter.nengo.double_precision import as_float64
from converter.nengo.network import to_nengo
from converter.nengo.simulator import CoreSimulator
from converter.nengo.verify import verify
from snn_ops import Session
from tests.models import batchnorm_net, convnet, mlp, samples, save
from tests.nengo.models import images, lenet5


@pytest.mark.parametrize("make", [mlp, convnet, batchnorm_net])
def test_networks_spike_for_spike(make, tmp_path) -> None:
    model = make()
    x = samples(model)
    proto = convert(save(model, tmp_path / "m.onnx"), x, code="rate").proto()
    found = verify(proto, {"x": x[:4]}, 32)
    assert found.differing == 0, found.first
    assert sum(layer.spikes for layer in found.layers) > 0
    assert found.output_error < 1e-9


def test_outputs_after_every_step() -> None:
    """Nengo's output in step t is the model's output for t + 1 steps."""
    proto = lenet5("if")
    x = images(2).astype(np.float64)
    with CoreSimulator(to_nengo(proto)) as simulator:
        outputs, _ = simulator.run({"image": x}, 6)
    session = Session(as_float64(proto))
    for step in range(6):
        (expected,) = session.run_batch({"image": x}, step + 1)
        np.testing.assert_allclose(outputs["logits"][:, step], expected, rtol=0, atol=1e-12)


def test_core_neurons_are_nengos_own() -> None:
    network = to_nengo(lenet5("if"), core_neurons=True).network
    kinds = {type(ensemble.neuron_type).__name__ for ensemble in network.all_ensembles}
    assert kinds == {"SpikingRectifiedLinear", "RunningMean"}
    for ensemble in network.all_ensembles:
        if type(ensemble.neuron_type).__name__ == "SpikingRectifiedLinear":
            assert type(ensemble.neuron_type).__module__ == "nengo.neurons"


def test_rectified_linear_is_if_for_positive_currents(tmp_path) -> None:
    """No current is negative and no neuron wants two spikes: nengo.SpikingRectifiedLinear spikes as our IF."""
    model = mlp()
    for tensor in model.graph.initializer:
        array = np.abs(onnx.numpy_helper.to_array(tensor)) * 0.3
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    x = np.abs(samples(model))
    proto = convert(save(model, tmp_path / "m.onnx"), 2 * x, code="rate").proto()
    found = verify(proto, {"x": x[:5]}, 40, network=to_nengo(proto, core_neurons=True))
    assert found.compared == 5 * 40 * 28
    assert found.layers[0].spikes > 0
    assert found.differing <= 2  # Nengo counts its voltage in spikes: another rounding at exact ties


def test_a_synapse_delays_and_filters() -> None:
    proto = lenet5("if")
    x = images(1)
    with CoreSimulator(to_nengo(proto, synapse=nengo.Lowpass(0.005)), ["node_relu"]) as simulator:
        _, filtered = simulator.run({"image": x}, 20)
    with CoreSimulator(to_nengo(proto), ["node_relu"]) as simulator:
        _, spikes = simulator.run({"image": x}, 20)
    expected = nengo.Lowpass(0.005).filt(spikes["node_relu"][0], dt=0.001, y0=0)
    np.testing.assert_allclose(filtered["node_relu"][0, 1:], expected[:-1], rtol=0, atol=1e-12)
    assert not filtered["node_relu"][0, 0].any()
