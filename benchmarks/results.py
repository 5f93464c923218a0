"""The file of results: a JSON object with a row for each system in each cell, checked when it is read, written whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.matrix import Cell
from snn_ops.files import write_whole
from snn_ops.format import FormatError, known

SCHEMA = 1
"""Rises when a reader of the file would misunderstand it."""
MEASURED, ELSE, NOT_RUN, OVER = "measured", "computes something else", "did not run", "over the limit"
STATES = (MEASURED, ELSE, NOT_RUN, OVER)


class ResultsError(Exception):
    """A file of results that cannot be read; the message names it."""


@dataclass(frozen=True)
class Times:
    """Seconds of a run.

    Attributes:
        runs: how many were measured.
        p10, p50, p90, p99: percentiles.
    """

    runs: int
    p10: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Row:
    """A system in a cell.

    Attributes:
        system: its name.
        state: one of `STATES`.
        reason: why there are no times.
        version: of its libraries.
        settings: that it ran with.
        target: what its outputs were held against; see `benchmarks.systems.system.Rule`.
        note: what it computes, where that is not the network of the cell.
        difference, bound: of its outputs, in words.
        times: of a run of the whole batch.
        load_seconds: until it could run, its library imported, conversion and search of settings left out.
        conversion_seconds: from the trained model to the spiking file.
        search_seconds: in which it chose its settings.
        first_seconds: the first run.
        peak_bytes: the most memory of the process.
        file_bytes: of the file that it loaded.
    """

    system: str
    state: str
    reason: str = ""
    version: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    target: str = "spiking"
    note: str = ""
    difference: str = ""
    bound: str = ""
    times: Times | None = None
    load_seconds: float | None = None
    conversion_seconds: float | None = None
    search_seconds: float | None = None
    first_seconds: float | None = None
    peak_bytes: int | None = None
    file_bytes: int | None = None


@dataclass(frozen=True)
class CellResult:
    """A cell, finished.

    Attributes:
        cell: what was held equal.
        rows: of all systems.
        made_with: what each system is made of, by its name: where it changes, the cell is run again.
        load_average: of the machine before it.
        seconds: that the cell took.
        when: the day.
    """

    cell: Cell
    rows: tuple[Row, ...]
    made_with: dict[str, str]
    load_average: float
    seconds: float
    when: str

    def row(self, system: str) -> Row | None:
        """Of that system."""
        return next((row for row in self.rows if row.system == system), None)


class Results:
    """The file, and what it holds.

    Args:
        path: of the file; it need not exist.

    Raises:
        ResultsError: it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.machine: dict[str, Any] = {}
        self.cells: dict[str, CellResult] = {}
        if path.exists():
            self._read()

    def put(self, result: CellResult) -> None:
        """Writes the file with this cell."""
        self.cells[result.cell.key] = result
        self.write()

    def write(self) -> None:
        """Whole or not at all."""
        cells = {key: asdict(cell) for key, cell in self.cells.items()}
        content = {"schema": SCHEMA, "machine": self.machine, "cells": cells}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, (json.dumps(content, indent=1) + "\n").encode())

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text())
            if not isinstance(content, dict) or content.get("schema") != SCHEMA:
                raise ResultsError(f"{self.path}: no results of schema {SCHEMA}")
            self.machine = _object(content, "machine")
            self.cells = {key: _cell(value) for key, value in _object(content, "cells").items()}
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ResultsError(f"{self.path}: cannot be read: {error}") from error
        except FormatError as error:
            raise ResultsError(f"{self.path}: {str(error).rpartition('onnx_snn.')[2]}") from error
        wrong = [key for key, cell in self.cells.items() if key != cell.cell.key]
        if wrong:
            raise ResultsError(f"{self.path}: {wrong[0]!r} is not the cell that stands there")


def _cell(values: Any) -> CellResult:
    rows = []
    for row in values.get("rows", []):
        rows.append(known(Row, row, "rows"))
        if rows[-1].state not in STATES or (rows[-1].times is None) == (rows[-1].state == MEASURED):
            raise FormatError(f"metadata onnx_snn.rows: {rows[-1].system}: {rows[-1].state!r} does not fit its times")
    return known(CellResult, values, "cells")


def _object(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    if not isinstance(value, dict):
        raise FormatError(f"metadata onnx_snn.{name}: must be an object")
    return value
