"""Outputs before times: what computes something else gets none, what fails leaves the others alone."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import matrix, systems
from benchmarks.harness import Harness, Settings
from benchmarks.matrix import Cell
from benchmarks.results import ELSE, MEASURED, NOT_RUN, OVER, CellResult, Results, Row

BRIEF = Settings(limit=30, seconds=0.02, rounds=2, here=True)
SMALL = Cell("mlp", "if", 4, 2, 1, "cpu")
HERE = [
    name
    for name in systems.names()
    if name.startswith(("onnx-snn", "trained", "copy")) or (name in ("nengo", "nengo-dl") and find_spec("nengo_dl"))
]
"""Systems that run in the environment of the tests."""


@pytest.mark.parametrize("cell", matrix.quick("cpu"), ids=str)
def test_the_smallest_cells(cell, tmp_path) -> None:
    """Equal outputs, and a complete table that can be read back; no word about time."""
    result = Harness(HERE, BRIEF).run(cell)
    kind = {"stream": "stream", "operator-if": "sequence"}.get(cell.workload, "network")
    assert [row.system for row in result.rows] == [n for n in HERE if kind in systems.system(n).kinds]
    for row in result.rows:
        equation_known = cell.equation in [equation.value for equation in systems.system(row.system).equations]
        assert row.state == (MEASURED if equation_known else NOT_RUN), (row.system, row.reason)
        if row.state == MEASURED:
            check_complete(row)
    results = Results(tmp_path / "r.json")
    results.put(result)
    assert Results(tmp_path / "r.json").cells == {cell.key: result}


def check_complete(row: Row) -> None:
    assert row.reason == ""
    assert row.times.runs >= 1
    assert 0 < row.times.p10 <= row.times.p50 <= row.times.p90 <= row.times.p99
    assert row.load_seconds > 0
    assert row.first_seconds > 0
    assert row.peak_bytes > 1e6
    assert row.difference or row.target == "nothing"
    if row.system.startswith("onnx-snn") and row.file_bytes:
        assert "ONNX Runtime" in row.version
        assert row.conversion_seconds > 0


@pytest.fixture
def spoilt(tmp_path, monkeypatch):
    """The row of a system with a fault, beside ours."""

    def run(fault: str, **settings: float) -> tuple[Row, CellResult]:
        module = f"planted_{fault.replace(' ', '_')}"
        (tmp_path / f"{module}.py").write_text(
            f"from tests.benchmarks.planted import Planted\nSYSTEM = Planted({fault!r})\n"
        )
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path.cwd())]))
        monkeypatch.syspath_prepend(tmp_path)

        def find(name: str):
            chosen = module if name == "planted" else systems.module_of(name)
            return importlib.import_module(chosen).SYSTEM, chosen

        result = Harness(["planted", "onnx-snn"], Settings(**{**vars(BRIEF), **settings}), find).run(SMALL)
        ours = result.row("onnx-snn")
        assert ours.state == MEASURED
        check_complete(ours)
        return result.row("planted"), result

    return run


@pytest.mark.parametrize(
    ("fault", "difference"),
    [
        ("output", "outputs differ by 0.001 at most"),
        ("one spike", "spike counts of 0."),
        ("not a number", "outputs that are no numbers"),
        ("shape", "outputs of shape [10, 2] for [2, 10]"),
        ("a layer less", "no spike counts of dense1_neurons"),
    ],
)
def test_a_wrong_answer_gets_no_time(spoilt, fault, difference) -> None:
    row, _ = spoilt(fault)
    assert row.state == ELSE
    assert difference in row.reason
    assert row.times is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("cannot", "has no convolution"),
        ("raises", "RuntimeError: something broke"),
        ("dies", "its process ended with code 3"),
        ("dies later", "its process ended with code 4"),
    ],
)
def test_what_fails_is_a_row_with_the_reason(spoilt, fault, reason) -> None:
    row, _ = spoilt(fault)
    assert (row.state, row.times) == (NOT_RUN, None)
    assert row.reason.startswith(reason)


def test_what_takes_too_long_is_ended(spoilt) -> None:
    row, result = spoilt("hangs", limit=3)
    assert (row.state, row.times) == (OVER, None)
    assert result.seconds < 45


def test_what_would_take_too_long_is_not_begun(spoilt) -> None:
    row, _ = spoilt("slow", limit=2)
    assert row.state == OVER
    assert "one takes 0.5 s" in row.reason


def test_without_spike_counts_the_outputs_decide(spoilt) -> None:
    row, _ = spoilt("no counts")
    assert row.state == MEASURED
    assert row.difference == "outputs equal"


def test_a_provider_that_a_system_does_not_have() -> None:
    result = Harness(["onnx-snn-python"], BRIEF).run(Cell("mlp", "if", 4, 1, 1, "cuda"))
    (row,) = result.rows
    assert (row.state, row.reason) == (NOT_RUN, "does not run with provider cuda here")
