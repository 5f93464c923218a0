"""What files may write in several ways becomes one form."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from converter.errors import RefusedError
from converter.graph.build import to_proto
from converter.graph.passes import PassReport
from converter.io.onnx_files import holds_operators
from converter.normalise.ann import load_ann
from converter.normalise.plain_form import plain_form
from tests.models import convert_model, mlp, samples, save
from tests.passes import from_text


def same(model: onnx.ModelProto, tmp_path) -> None:
    """It is loaded, and computes what it did."""
    x = samples(model, 5)
    expected = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    proto = to_proto(ann.model)
    onnx.checker.check_model(proto)
    found = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_nodes_in_any_order(tmp_path) -> None:
    model = mlp()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[::-1])
    assert len(nodes) > 2
    same(model, tmp_path)


def test_a_graph_without_a_name(tmp_path) -> None:
    model = mlp()
    model.graph.name = ""
    same(model, tmp_path)


@pytest.mark.parametrize("imported", ["instead", "beside"])
def test_the_long_name_of_the_standard_domain(imported, tmp_path) -> None:
    model = mlp()
    model.graph.node[0].domain = "ai.onnx"
    if imported == "instead":
        model.opset_import[0].domain = "ai.onnx"
    else:
        model.opset_import.append(onnx.helper.make_opsetid("ai.onnx", model.opset_import[0].version))
    same(model, tmp_path)


def test_an_import_of_our_domain_is_no_spiking_model(tmp_path) -> None:
    """ONNX Runtime writes it into models that it optimises where the library is registered."""
    model = mlp()
    model.opset_import.append(onnx.helper.make_opsetid("onnx_snn", 1))
    assert not holds_operators(model)
    same(model, tmp_path)
    _, spiking = convert_model(model, tmp_path)
    assert holds_operators(spiking)
    with pytest.raises(RefusedError, match="this is already a spiking model"):
        load_ann(save(spiking, tmp_path / "s.onnx"))


def test_what_is_plain_stays() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { r = Relu(x)  y = Neg(r) }")
    assert plain_form(model) == PassReport("plain form")


def test_nodes_that_wait_for_each_other() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { a = Add(x, x)  y = Neg(a) }")
    first, second = model.graph
    first.replace_input_with(1, second.outputs[0])
    with pytest.raises(RefusedError, match="its nodes have no order in which they can run"):
        plain_form(model)
