"""Parts of the converter that need packages that are not always installed."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from converter.errors import RefusedError


def import_optional(module: str, extra: str) -> Any:
    """A module of the converter.

    Raises:
        RefusedError: it needs a package that is not installed; `extra` is what brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("converter"):
            raise
        raise RefusedError(f"{error.name} is not installed; install onnx-snn[{extra}]") from None


def search_path() -> str:
    """Where Python looks for libraries, as PYTHONPATH of another process: absolute, without the current folder.

    A file there must not be imported in place of a library, unless the converter itself lies there.
    """
    here, own = Path.cwd(), Path(__file__).resolve().parents[2]
    folders = dict.fromkeys(Path(folder or ".").resolve() for folder in sys.path)
    return os.pathsep.join(str(folder) for folder in folders if folder != here or folder == own)
