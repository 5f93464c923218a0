"""ONNX files, with external data; what is none is refused (tests/commands/test_bad_input.py has the cases)."""

from __future__ import annotations

import onnx
import pytest

from converter.errors import RefusedError
from converter.io.onnx_files import read_proto, write_model
from tests.models import mlp


def test_out_and_in(tmp_path) -> None:
    write_model(mlp(), tmp_path / "m.onnx")
    assert read_proto(tmp_path / "m.onnx") == mlp()


def test_external_data_are_read(tmp_path) -> None:
    model = onnx.ModelProto.FromString(mlp().SerializeToString())
    location = {"save_as_external_data": True, "location": "m.data", "size_threshold": 0}
    onnx.save(model, tmp_path / "m.onnx", **location)
    assert read_proto(str(tmp_path / "m.onnx")) == onnx.load(tmp_path / "m.onnx")
    (tmp_path / "m.data").unlink()
    with pytest.raises(RefusedError, match=r"m\.onnx: its external data cannot be read .*; put those files beside"):
        read_proto(tmp_path / "m.onnx")


def test_folders(tmp_path) -> None:
    with pytest.raises(RefusedError, match=r"this is a folder, but no SavedModel"):
        read_proto(tmp_path)
