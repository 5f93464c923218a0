"""What `check` shows, in a narrow terminal too."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from converter.conversion.check import check
from converter.report.check_tables import check_tables, folder_tables
from tests.models import convnet, save


def shown(tables, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    for table in tables:
        console.print(table)
    return console.file.getvalue()


@pytest.mark.parametrize("code", ["delta", "rate"])
def test_the_share_that_spikes_is_at_the_top(code, tmp_path) -> None:
    found = check(save(convnet(), tmp_path / "m.onnx"), code=code)
    for width in (60, 80, 120):
        text = shown(check_tables(found), width)
        assert max(map(cell_len, text.splitlines())) <= width
        assert text.startswith(f"m.onnx will convert: {code} code, stepped")
        first_row = next(line for line in text.splitlines() if line.startswith("\u2502"))
        assert f"{100 * found.spiking_share:.1f} % of" in first_row
        assert all(layer.name in text for layer in found.layers)
    assert ("8 - 36 %" in text) == (code == "delta")
    assert all(neurons.neuron in text for neurons in found.neurons)


def test_a_folder(tmp_path) -> None:
    found = check(save(convnet(), tmp_path / "m.onnx"))
    text = shown(folder_tables("models", {"good.onnx": found, "bad.onnx": "node 'a': no; do this"}), 80)
    assert text.startswith("models: 1 of 2 models convert")
    assert "node 'a': no; do this" in text
    assert "Refused" not in shown(folder_tables("models", {"good.onnx": found}), 80)
