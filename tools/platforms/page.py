"""The tables of docs/platforms.md, from what tools/platforms/matrix.py and arm64.sh wrote: `make docs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.operator_table import table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "platforms.md"
BEGIN, END = "<!-- written by `make docs` -->\n", "<!-- until here -->\n"


CHECKS = ("kernels", "functions", "backend numpy", "conversion", "its functions", "command")


def _said(row: dict[str, Any], check: str) -> str:
    text = row["found"]["checks"].get(check, "")
    return (
        "**fails**"
        if text.startswith("FAILED")
        else "-"
        if text.startswith("not installed")
        else "passed"
        if text
        else ""
    )


def _matrix() -> list[str]:
    cells = []
    for row in json.loads((DOCS / "platforms.json").read_text()):
        if row["not_installed"]:
            cells.append([row["python"], row["onnxruntime"], "", "", *["not to be had"] + [""] * (len(CHECKS) - 1)])
            continue
        found = row["found"]
        versions = [
            found.get("python", row["python"]),
            row["onnxruntime"],
            found.get("numpy", ""),
            found.get("onnx", ""),
        ]
        cells.append([*versions, *(_said(row, check) for check in CHECKS)])
    return table(["Python", "ONNX Runtime", "NumPy", "onnx", *CHECKS], cells)


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
