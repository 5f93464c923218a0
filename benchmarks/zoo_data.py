"""Samples for models of a zoo folder: its `models.json` says how pixels become a model's input.

An entry's ``preprocess`` is an expression in ``x``, the uint8 pixels as floats, of numbers, lists of a number per channel,
``+ - * /`` and brackets, e.g. ``(x/255-[.4914,.4822,.4465])/[.2471,.2435,.2616]``.
"""

from __future__ import annotations

import ast
import json
import operator
import os
from pathlib import Path
from typing import Any

import numpy as np

_OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def models_folder() -> Path:
    """``ONNX_SNN_MODELS``, else ``../shared/models``."""
    return Path(os.environ.get("ONNX_SNN_MODELS", "../shared/models"))


def entries(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The entries of `models.json` by the file's stem."""
    path = (folder or models_folder()) / "models.json"
    return {Path(entry["file"]).stem: entry for entry in json.loads(path.read_text())}


def model_input(images: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    """uint8 images [N, C, H, W] as the entry's model expects them."""
    shape = entry["inputs"][0][1][1:]
    channels = images.shape[1]
    if len(shape) == 3 and shape[-1] == channels != shape[0]:
        x = images.transpose(0, 2, 3, 1)
        per_channel = (channels,)
    else:
        x = images
        per_channel = (channels, 1, 1)
    value = _evaluate(ast.parse(entry["preprocess"], mode="eval").body, x.astype(np.float64), per_channel)
    return value.reshape(len(images), *shape).astype(np.float32)


def _evaluate(node: ast.AST, x: np.ndarray, per_channel: tuple[int, ...]) -> Any:
    if isinstance(node, ast.BinOp):
        left, right = (_evaluate(side, x, per_channel) for side in (node.left, node.right))
        return _OPERATIONS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, x, per_channel)
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.List):
        return np.asarray([_evaluate(item, x, per_channel) for item in node.elts]).reshape(per_channel)
    if isinstance(node, ast.Name) and node.id == "x":
        return x
    raise ValueError(f"not understood in a preprocess expression: {ast.dump(node)}")
