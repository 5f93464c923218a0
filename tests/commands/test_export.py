"""onnx-snn export."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("nengo")


@pytest.mark.usefixtures("spiking", "folder")
def test_export_nengo_writes_a_script_and_weights(command, folder) -> None:
    assert command("export", "nengo", "m.snn.onnx", "-o", "net.py").code == 0
    compile((folder / "net.py").read_text(), "net.py", "exec")
    with np.load(folder / "net.npz") as archive:
        assert {"W1", "B1", "W2", "B2", "W3", "B3"} <= set(archive.files)


@pytest.mark.usefixtures("spiking")
def test_without_nengo_the_commands_say_so(command, monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("nengo", "converter.nengo"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nengo", None)
    result = command("export", "nengo", "m.snn.onnx", "-o", "o.py")
    assert (result.code, result.err) == (1, "onnx-snn: nengo is not installed; install onnx-snn[nengo]\n")
