"""The readout by a window as one node; its answers in Nengo are in test_at_rest.py."""

from __future__ import annotations

import onnx_ir as ir
import pytest

pytest.importorskip("nengo")

from converter import convert
from converter.nengo.at_rest import at_rest
from converter.nengo.windows import WINDOW_MEAN, window_nodes
from tests.models import mlp, samples, save


def test_a_node_in_its_place(tmp_path) -> None:
    options = {"code": "rate", "neuron": "if", "streaming": True, "n_steps": 8}
    path, x = save(mlp(), tmp_path / "m.onnx"), samples(mlp())
    for readout in ("window", "leaky"):
        conversion = convert(path, x, readout=readout, **options)
        model = ir.from_proto(at_rest(conversion.proto()))
        before = [node.op_type for node in model.graph]
        window_nodes(model)
        after = [node.op_type for node in model.graph]
        if readout == "leaky":
            assert after == before
        else:
            assert "Scan" in before
            assert after == ["Gemm", "BoundedIF", "Gemm", "BoundedIF", WINDOW_MEAN, "TimeLast", "Gemm"]
            (node,) = (node for node in model.graph if node.op_type == WINDOW_MEAN)
            length = int(conversion.model.metadata_props["onnx_snn.readout_steps"])
            assert node.attributes["steps"].as_int() == length
