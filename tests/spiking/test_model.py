"""A spiking model read back from its file."""

from __future__ import annotations

import pytest

from converter.errors import RefusedError
from converter.spiking.model import SpikingModel
from tests.models import mlp, save


def test_a_trained_model_is_no_spiking_model(tmp_path) -> None:
    with pytest.raises(RefusedError, match="not a spiking model; make one with `onnx-snn convert`"):
        SpikingModel(save(mlp(), tmp_path / "m.onnx"))
