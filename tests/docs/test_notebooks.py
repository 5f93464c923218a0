"""The notebooks run from the first cell to the last, and plot something."""

from __future__ import annotations

import os

import pytest

from tests.docs.blocks import ROOT

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
LIMIT = 300
"""Seconds for a cell."""


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"image_classifier", "stream"}


@pytest.mark.docs
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: extra docs")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, 4)
    before = [cell.get("outputs", []) for cell in notebook.cells]
    client = nbclient.NotebookClient(
        notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises where a cell does
    after = [cell.get("outputs", []) for cell in notebook.cells]
    assert [kinds(outputs) for outputs in after] == [kinds(outputs) for outputs in before]
    assert any("image/png" in output.get("data", {}) for outputs in after for output in outputs)


def kinds(outputs: list) -> list[str]:
    """What a cell gives, as the file that is checked in says."""
    return sorted(output["output_type"] for output in outputs)
