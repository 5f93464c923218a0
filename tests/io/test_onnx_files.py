"""ONNX files, with external data; what is none is refused (tests/commands/test_bad_input.py has the cases)."""

from __future__ import annotations

import onnx
import pytest

from converter.errors import RefusedError
from converter.io.onnx_files import read_proto, size_on_disk, write_model
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


def test_sizes(tmp_path) -> None:
    """With external data, of a folder, and of what is no ONNX model."""
    write_model(mlp(), tmp_path / "whole.onnx")
    assert size_on_disk(tmp_path / "whole.onnx") == len(mlp().SerializeToString())
    onnx.save(mlp(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert size_on_disk(tmp_path / "m.onnx") == sum((tmp_path / name).stat().st_size for name in ("m.onnx", "m.data"))
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "variables" / "data").write_bytes(bytes(1000))
    (tmp_path / "model" / "saved_model.pb").write_bytes(bytes(10))
    assert size_on_disk(tmp_path / "model") == 1010
    (tmp_path / "m.keras").write_bytes(b"PK" + bytes(500))
    assert size_on_disk(tmp_path / "m.keras") == 502
