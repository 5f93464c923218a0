"""Weights out of a model and into it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from converter import convert
from converter.errors import RefusedError
from converter.io.weights import import_weights, weights_of
from snn_ops.ops import OPERATORS
from tests.models import mlp, samples, save


@pytest.fixture(scope="module")
def proto(tmp_path_factory) -> onnx.ModelProto:
    model = mlp()
    path = save(model, tmp_path_factory.mktemp("weights") / "m.onnx")
    return convert(path, samples(model), neuron="if", n_steps=8).proto()


def test_the_model_that_was_given_stays(proto) -> None:
    before = proto.SerializeToString()
    changed = import_weights(proto, {"W1": np.zeros((8, 16))})
    assert proto.SerializeToString() == before
    assert not weights_of(changed)["W1"].any()
    assert weights_of(changed)["W1"].dtype == np.float32


def test_measurements_go_and_the_rest_stays(proto) -> None:
    proto = onnx.ModelProto.FromString(proto.SerializeToString())
    entry = proto.metadata_props.add()
    entry.key, entry.value = "somebody's", "own"
    before = {entry.key: entry.value for entry in proto.metadata_props}
    after = {entry.key: entry.value for entry in import_weights(proto, weights_of(proto)).metadata_props}
    assert set(before) - set(after) == {"onnx_snn.layers", "onnx_snn.work"}
    assert after == {key: before[key] for key in after}


def test_nothing_is_refused(proto) -> None:
    with pytest.raises(RefusedError, match="it holds no arrays"):
        import_weights(proto, {})


def test_many_names_are_cut_short(proto) -> None:
    with pytest.raises(RefusedError, match=r"which the model does not have; the model has .* and [0-9]+ more"):
        import_weights(proto, {"W9": np.zeros(1)})


@pytest.mark.parametrize(
    "op_type", [name for name, operator in OPERATORS.items() if any(p.above_0 for p in operator.parameters)]
)
def test_what_an_operator_divides_by_must_be_above_0(op_type) -> None:
    """As the operator's declaration says."""
    operator = OPERATORS[op_type]
    names = [tensor.name for tensor in operator.inputs]
    tensors = [onnx.numpy_helper.from_array(np.ones(1, np.float32), name) for name in names]
    outputs = [tensor.name for tensor in operator.outputs]
    node = onnx.helper.make_node(op_type, names, outputs, domain="onnx_snn", **operator.defaults)
    proto = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], tensors))
    divisors = {parameter.name for parameter in operator.parameters if parameter.above_0}
    for name in names[1:]:
        if name in weights_of(proto):
            if name in divisors:
                with pytest.raises(RefusedError, match="must be above 0"):
                    import_weights(proto, {name: np.zeros(1)})
            else:
                import_weights(proto, {name: np.zeros(1)})
