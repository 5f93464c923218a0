"""Writes all that follows from the operators' declarations, the imports and what ran where: ``python -m tools.generate``
(`make docs`)."""

from __future__ import annotations

from pathlib import Path

from tools import architecture, functions, operator_table, signatures
from tools.platforms import page


def files() -> dict[Path, str]:
    """Every file, and what it shall hold."""
    return signatures.files() | functions.files() | operator_table.files() | architecture.files() | page.files()


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
