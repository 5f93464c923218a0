"""JSON for other programs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from converter.io.files import write_whole


def write_json(data: Any, path: str | Path) -> None:
    """Writes a JSON file, whole or not at all; "-" is standard output. What is not a finite number becomes null.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    text = json.dumps(_finite(data), indent=1) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        write_whole(path, text.encode())


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
