"""A spiking model read back from its file."""

from __future__ import annotations

import pytest

from converter.errors import RefusedError
from converter.spiking.model import SpikingModel
from tests.models import convert_model, mlp, save


def test_a_trained_model_is_no_spiking_model(tmp_path) -> None:
    with pytest.raises(RefusedError, match="not a spiking model; make one with `onnx-snn convert`"):
        SpikingModel(save(mlp(), tmp_path / "m.onnx"))


def test_functions_that_are_missing(tmp_path) -> None:
    _, model = convert_model(mlp(), tmp_path, neuron="if")
    del model.functions[:]
    spiking = SpikingModel(save(model, tmp_path / "bare.snn.onnx"))
    spiking.session()
    with pytest.raises(
        RefusedError, match=r"bare\.snn\.onnx, node 'first': the file holds no function for IF; use the backend"
    ):
        spiking.session(backend="functions")


def test_a_graph_that_onnx_runtime_does_not_take(tmp_path) -> None:
    """Its errors have no class in common."""
    _, model = convert_model(mlp(), tmp_path, neuron="if")
    model.graph.node[0].input[0] = "nothing"
    with pytest.raises(RefusedError, match=r"broken\.snn\.onnx: .*nothing"):
        SpikingModel(save(model, tmp_path / "broken.snn.onnx")).session()
