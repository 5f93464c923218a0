"""A Keras file (of Keras 3 or 2) or a SavedModel -> ONNX, through tf2onnx.

``python -m converter.normalise.frameworks.keras IN OUT``"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

OPSET = 18


def main() -> None:
    """Exports argv[1] to argv[2]."""
    source, target = Path(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        if source.is_file():
            model = _load(source)
            source = Path(folder) / "saved"
            model.export(str(source))
        sys.argv = ["tf2onnx", "--saved-model", str(source), "--output", target, "--opset", str(OPSET)]
        importlib.import_module("tf2onnx.convert").main()


def _load(path: Path) -> Any:
    """With the Keras that wrote it: version 3, or version 2 as tf-keras."""
    try:
        return importlib.import_module("keras").models.load_model(path, compile=False)
    except Exception:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        try:
            legacy = importlib.import_module("tf_keras")
        except ModuleNotFoundError:
            legacy = None
        if legacy is None:
            raise
        return legacy.models.load_model(path, compile=False)


if __name__ == "__main__":
    main()
