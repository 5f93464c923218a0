"""The trained network in a file of the delta code computes what the trained network does."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.errors import RefusedError
from converter.graph.run import start_quietly
from converter.spiking.without_neurons import has_delta_code, without_neurons
from snn_ops.format import DOMAIN
from tests.models import convert_model, convnet, mlp, samples


@pytest.mark.parametrize(
    "options", [{}, {"schedule": "two-phase"}, {"analog_input": True, "exact_skips": True}, {"streaming": True}]
)
@pytest.mark.parametrize("model", [mlp, convnet])
def test_it_is_the_network_that_was_converted(model, options, tmp_path) -> None:
    made = model()
    _, proto = convert_model(made, tmp_path, code="delta", **options)
    spiking = ir.from_proto(proto)
    assert has_delta_code(spiking)
    trained, targets = without_neurons(spiking)
    assert not has_delta_code(trained)
    assert DOMAIN not in trained.opset_imports
    assert [value.name for value in trained.graph.inputs] == ["x"]
    assert [value.name for value in trained.graph.outputs] == ["y"]
    assert not any(key.startswith("onnx_snn") for key in trained.metadata_props)
    x = samples(made, 3)
    (found,) = start_quietly(trained).run(["y"], {"x": x})
    for sample, row in zip(x, found, strict=True):
        (expected,) = start_quietly(made).run(["y"], {"x": sample[None]})
        np.testing.assert_allclose(row, expected[0], rtol=1e-4, atol=1e-6)
    neurons = {node.name: node.inputs[0].name for node in spiking.graph if node.op_type.startswith("MultiThreshold")}
    assert targets.keys() == neurons.keys()
    values = {value.name for node in trained.graph for value in node.inputs}
    assert set(targets.values()) <= values


def test_the_rate_code_is_refused(tmp_path) -> None:
    _, proto = convert_model(mlp(), tmp_path, neuron="if", method="percentile", correction="none")
    assert not has_delta_code(ir.from_proto(proto))
    with pytest.raises(RefusedError, match="node 'first': IF does not belong to the delta code"):
        without_neurons(ir.from_proto(proto))
