"""Raises the versions of ONNX that a model is written in to the lowest that spiking models have."""

from __future__ import annotations

import onnx_ir as ir
from onnxscript import version_converter

from converter.errors import RefusedError
from converter.graph.passes import Lines, PassReport
from snn_ops.format import LOWEST_IR_VERSION, LOWEST_ONNX_OPSET


def raise_opset(model: ir.Model) -> PassReport:
    """Rewrites what changed between the opsets.

    Raises:
        RefusedError: an operator cannot be raised.
    """
    lines = Lines("raise opset")
    model.ir_version = max(model.ir_version or 0, LOWEST_IR_VERSION)
    before = model.opset_imports[""]
    if before >= LOWEST_ONNX_OPSET:
        return lines.report()
    try:
        version_converter.convert_version(model, LOWEST_ONNX_OPSET, fallback=True)
    except Exception as error:
        raise RefusedError(
            f"its opset {model.opset_imports['']} cannot be raised to {LOWEST_ONNX_OPSET} ({error}); "
            f"export the model with opset {LOWEST_ONNX_OPSET} or later"
        ) from error
    if model.opset_imports[""] < LOWEST_ONNX_OPSET:
        raise RefusedError(
            f"its opset cannot be raised to {LOWEST_ONNX_OPSET}; export it with that opset or a later one"
        )
    lines.changed("the model", f"raised from opset {before} to {model.opset_imports['']}")
    if before < 11:
        _say_where_samples_lie(model, lines)
    return lines.report()


def _say_where_samples_lie(model: ir.Model, lines: Lines) -> None:
    """What Upsample and the first Resize computed has a name since opset 11, which is not the default."""
    for node in model.graph.all_nodes():
        if node.op_type == "Resize":
            mode, nearest = "coordinate_transformation_mode", "nearest_mode"
            node.attributes[mode] = ir.AttrString(mode, "asymmetric")
            node.attributes[nearest] = ir.AttrString(nearest, "floor")
            lines.changed(node, "its coordinates are asymmetric, as they were before opset 11")
