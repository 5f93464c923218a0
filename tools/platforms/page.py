"""The tables of docs/platforms.md, from what tools/platforms/matrix.py and arm64.sh wrote: `make docs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.operator_table import table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "platforms.md"
BEGIN, END = "<!-- written by `make docs` -->\n", "<!-- until here -->\n"


def _result(row: dict[str, Any]) -> str:
    if row["not_installed"]:
        return "cannot be installed"
    failed = [f"{name}: {text}" for name, text in row["found"]["checks"].items() if text.startswith("FAILED")]
    return "; ".join(failed) or "passed"


def _matrix() -> list[str]:
    rows = json.loads((DOCS / "platforms.json").read_text())
    columns = ["Python", "ONNX Runtime", "NumPy", "onnx", "result", "backend `numpy`"]
    cells = []
    for row in rows:
        found = row.get("found", {})
        numpy_backend = "passed" if "numpy" in found.get("checks", {}).get("operators", "") else "not installed"
        cells.append(
            [
                found.get("python", row["python"]),
                row["onnxruntime"],
                found.get("numpy") or "",
                found.get("onnx") or "",
                _result(row),
                numpy_backend if found else "",
            ]
        )
    return table(columns, cells)


def _arm64() -> list[str]:
    found = json.loads((DOCS / "platforms-arm64.json").read_text())
    start = (
        f"Python {found['python']}, ONNX Runtime {found['onnxruntime']}, NumPy {found['numpy']}, onnx {found['onnx']}:"
    )
    return [start, "", *table(["check", "result"], [[name, text] for name, text in found["checks"].items()])]


def files() -> dict[Path, str]:
    """What this module writes."""
    parts = PAGE.read_text().split(BEGIN)
    for place, lines in ((1, _matrix()), (2, _arm64())):
        parts[place] = "\n".join(lines) + "\n" + END + parts[place].split(END, 1)[1]
    return {PAGE: BEGIN.join(parts)}
