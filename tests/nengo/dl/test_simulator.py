"""Operators and networks in NengoDL, against the kernels in float32."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

pytest.importorskip("nengo")
if importlib.util.find_spec("nengo_dl") is None:
    pytest.skip("NengoDL is not installed", allow_module_level=True)

from converter.errors import RefusedError
from converter.graph.run import optimised
from converter.nengo.dl.simulator import DLSimulator, to_nengo_dl
from converter.nengo.verify import recording_session
from snn_ops import Session
from tests.nengo.models import OPERATIONS, images, lenet5, operation


@pytest.mark.parametrize(
    ("neuron", "layers"), [("lif", 4), ("adaptive-lif", 4), pytest.param("izhikevich", 1, marks=pytest.mark.slow)]
)
def test_float32_is_nengo_dl_bit_for_bit(neuron, layers) -> None:
    """Sums of the first Conv, with a gain after it, and spikes, whose heights are amplitude / dt.

    The second Conv adds in another order, which only Izhikevich's neurons notice.
    """
    proto = lenet5(neuron)
    names = ["node_relu_current", "relu", "relu_1", "relu_2", "relu_3"]
    network = to_nengo_dl(optimised(proto))
    network.network.layers[names[0]] = next(x for x in network.network.all_nodes if x.label == names[0])
    recorded = [names[0], *(population.node for population in network.script.populations[:layers])]
    with DLSimulator(network, recorded, minibatch=10) as simulator:
        _, found = simulator.run({"image": images(10)}, 100)
    session = recording_session(proto, names)
    currents, *spikes = session.run_batch({"image": images(10)}, 100, names[: layers + 1])
    np.testing.assert_array_equal(found[names[0]][:, 0], currents.reshape(10, -1))
    for node, expected in zip(recorded[1:], spikes, strict=True):
        np.testing.assert_array_equal(found[node], expected.reshape(100, 10, -1).swapaxes(0, 1), err_msg=node)


@pytest.mark.parametrize("case", OPERATIONS)
def test_operators_in_nengo_dl(case) -> None:
    """What an operator is in TensorFlow, against the kernel in float32."""
    model, x, steps = operation(case, np.float32)
    if case == "LIF, begun":
        with pytest.raises(
            RefusedError, match="node 'LIF': it begins in a refractory time, which NengoDL counts otherwise"
        ):
            to_nengo_dl(model)
        return
    (expected,) = Session(model).run_batch({"x": x}, steps)
    with DLSimulator(to_nengo_dl(model), minibatch=3) as simulator:
        outputs, _ = simulator.run({"x": x}, steps)
    found, scale = outputs["y"].swapaxes(0, 1).reshape(expected.shape), np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)
