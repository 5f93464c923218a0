"""Rows of checks: kept in a JSON file as they come, so that a run that is ended early loses only what it had not done.

``python -m tools.gpu.rows FILE`` puts lines "STAGE: what became of it" from its input into the file as its summary.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from snn_ops.files import write_whole

Row = dict[str, Any]


class Results:
    """A JSON file of lists of rows by part.

    Args:
        path: of the file; what earlier runs wrote there for other parts stays.
        about: what all was made with.
    """

    def __init__(self, path: Path, about: Row) -> None:
        self._path, self._begun = path, set[str]()
        known: Row = json.loads(path.read_text()) if path.exists() else {}
        self._content = known | about

    def rows(self, part: str) -> list[Row]:
        """Those that this run added."""
        return self._content[part] if part in self._begun else []

    def add(self, part: str, row: Row) -> None:
        """Writes the file with one more row; the first of a part replaces those of an earlier run."""
        self._content[part] = [*self.rows(part), row]
        self._begun.add(part)
        self._write()

    def put(self, part: str, value: object) -> None:
        """Writes the file with this as the part."""
        self._content[part] = value
        self._write()

    def _write(self) -> None:
        write_whole(self._path, (json.dumps(self._content, indent=1) + "\n").encode())


def attempt(row: Row, measure: Callable[[], Row]) -> Row:
    """The row with what was measured, or with the reason why not: a failure leaves the other rows alone."""
    try:
        return row | measure()
    except Exception as error:
        return row | {"not_run": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}


def line(row: Row) -> str:
    """For a log in which rows appear as they come."""
    return "  ".join(f"{key} {form(value)}" for key, value in row.items())


def show(rows: list[Row]) -> None:
    """Prints a table with columns of all keys."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([form(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def form(value: object) -> str:
    """A number with as many digits as it deserves."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def summary(stages: Sequence[str]) -> dict[str, str]:
    """Of lines "STAGE: what became of it"."""
    return dict(line.split(": ", 1) for line in stages)


if __name__ == "__main__":
    Results(Path(sys.argv[1]), {}).put("summary", summary(sys.stdin.read().splitlines()))
