"""Parts of the converter that need packages that are not always installed."""

from __future__ import annotations

import importlib
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
