"""A streaming file as one that begins at rest: the same answers, and a network in Nengo that gives them too."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nengo")

import snn_ops
from converter import convert
from converter.nengo.at_rest import at_rest
from converter.nengo.network import to_nengo
from converter.nengo.simulator import CoreSimulator
from snn_ops.format import Metadata
from tests.models import mlp, samples, save

STEPS = 12
WAYS = {
    "leaky": {"code": "rate", "neuron": "if-burst", "readout": "leaky"},
    "window": {"code": "rate", "neuron": "if-burst", "readout": "window"},
    "tanh": {"code": "rate", "readout": "leaky"},
    "mean": {"code": "rate", "neuron": "if"},
    "delta": {"code": "delta"},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_answers(way, tmp_path) -> None:
    model = mlp("Tanh" if way == "tanh" else "Relu")
    x = samples(model)
    proto = convert(save(model, tmp_path / "m.onnx"), x, streaming=True, n_steps=STEPS, **WAYS[way]).proto()
    inside = at_rest(proto)
    onnx.checker.check_model(inside)
    assert [value.name for value in inside.graph.input] == ["x", "n_steps"]
    assert [value.name for value in inside.graph.output] == ["y"]
    assert not Metadata.read({entry.key: entry.value for entry in inside.metadata_props}).states
    assert at_rest(inside) is inside
    expected = snn_ops.Session(proto).run(x[:5], n_steps=STEPS)[0]
    np.testing.assert_array_equal(snn_ops.Session(inside).run(x[:5], n_steps=STEPS)[0], expected)
    with CoreSimulator(to_nengo(proto), []) as simulator:
        outputs, _ = simulator.run({"x": x[:5]}, STEPS)
    for t in (0, 3, STEPS - 1):
        expected = snn_ops.Session(proto).run(x[:5], n_steps=t + 1)[0]
        np.testing.assert_allclose(outputs["y"][:, t], expected, atol=2e-5)
