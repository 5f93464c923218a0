"""The file of results: what it takes, what it refuses, and that it is never half written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.matrix import Cell
from benchmarks.results import MEASURED, NOT_RUN, CellResult, Results, ResultsError, Row, Times

CELL = Cell("mlp", "if", 4, 1, 2, "cpu")
ROWS = (
    Row("onnx-snn", MEASURED, version="1", settings={"a": 1}, times=Times(5, 0.1, 0.2, 0.3, 0.4), first_seconds=1.0),
    Row("norse", NOT_RUN, reason="has no such neuron"),
)
RESULT = CellResult(CELL, ROWS, {"onnx-snn": "1"}, 0.5, 3.0, "2026-01-01")


@pytest.fixture
def file(tmp_path):
    results = Results(tmp_path / "new" / "r.json")
    results.machine = {"processor": "this one"}
    results.put(RESULT)
    return results.path


def test_what_is_written_is_read(file) -> None:
    again = Results(file)
    assert again.cells == {CELL.key: RESULT}
    assert again.machine == {"processor": "this one"}
    assert again.cells[CELL.key].row("norse") == ROWS[1]
    assert again.cells[CELL.key].row("nobody") is None


def test_a_cell_that_is_run_again_takes_its_place(file) -> None:
    results = Results(file)
    results.put(replace(RESULT, rows=ROWS[:1]))
    assert Results(file).cells == {CELL.key: replace(RESULT, rows=ROWS[:1])}


def change(content, *path, value):
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema",), 99, "no results of schema 1"),
        (("cells",), [], "cells: must be an object"),
        (("cells", CELL.key, "load_average"), "high", "'load_average' must be float"),
        (("cells", CELL.key, "cell", "batch"), 8, "is not the cell that stands there"),
        (("cells", CELL.key, "rows", 0, "times", "p50"), None, "'p50' must be float"),
        (("cells", CELL.key, "rows", 0, "times"), None, "'measured' does not fit its times"),
        (("cells", CELL.key, "rows", 1, "state"), "asleep", "'asleep' does not fit its times"),
        (("cells", CELL.key, "rows", 1, "settings"), 3, "'settings' must be dict"),
    ],
)
def test_a_damaged_file_is_refused(file, path, value, words) -> None:
    content = json.loads(file.read_text())
    change(content, *path, value=value)
    file.write_text(json.dumps(content))
    with pytest.raises(ResultsError) as error:
        Results(file)
    assert words in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_json(file) -> None:
    file.write_text("{")
    with pytest.raises(ResultsError, match="cannot be read"):
        Results(file)
