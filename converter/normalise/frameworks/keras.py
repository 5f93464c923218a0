"""A Keras file (of Keras 3 or 2) or a SavedModel -> ONNX, through tf2onnx.

``python -m converter.normalise.frameworks.keras IN OUT``"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from converter.normalise.frameworks.keras_files import keras_that_wrote

OPSET = 18


def main() -> None:
    """Exports argv[1] to argv[2]."""
    source, target = Path(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        if source.is_file():
            model = _load(source)
            source = Path(folder) / "saved"
            model.export(str(source))
        _register_erfc()
        sys.argv = ["tf2onnx", "--saved-model", str(source), "--output", target, "--opset", str(OPSET)]
        importlib.import_module("tf2onnx.convert").main()


def _register_erfc() -> None:
    """Teaches tf2onnx Erfc, which Keras has in its Gelu and ONNX has not: erfc(x) = 1 - erf(x)."""
    handler, utils = (importlib.import_module(f"tf2onnx.{name}") for name in ("handler", "utils"))

    @handler.tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            shape, element = ctx.get_shape(node.output[0]), ctx.get_dtype(node.output[0])
            one = ctx.make_const(utils.make_name(node.name), np.ones((), utils.map_onnx_to_numpy_type(element)))
            ctx.remove_node(node.name)
            erf = ctx.make_node("Erf", node.input, shapes=[shape], dtypes=[element])
            ctx.make_node(
                "Sub",
                [one.output[0], erf.output[0]],
                outputs=node.output,
                name=node.name,
                shapes=[shape],
                dtypes=[element],
            )


def _load(path: Path) -> Any:
    """With the Keras that wrote it: version 3, or version 2 as tf-keras."""
    try:
        return importlib.import_module("keras").models.load_model(path, compile=False)
    except Exception:
        if keras_that_wrote(path).partition(".")[0] not in ("", "1", "2"):
            raise  # what version 2 says of it would not be the reason
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
