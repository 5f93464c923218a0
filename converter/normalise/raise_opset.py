"""Raises the versions of ONNX that a model is written in to the lowest that spiking models have."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnxscript import version_converter

from converter.errors import RefusedError
from converter.graph.build import constant, name_of
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
    if before < _GROUPS_BY_CHANNEL:
        _replace_group_normalization(model, lines)
    if before >= LOWEST_ONNX_OPSET:
        return lines.report()
    batched = next((n for n in model.graph.all_nodes() if before < 9 and not n.domain and n.op_type == "Scan"), None)
    if batched is not None:
        raise RefusedError(
            f"Scan of opset {before} runs over a batch of sequences, which that of later ones does not; export the model with "
            f"opset {LOWEST_ONNX_OPSET} or later",
            node=name_of(batched),
        )
    try:
        version_converter.convert_version(model, LOWEST_ONNX_OPSET, fallback=True)
        if model.opset_imports[""] < LOWEST_ONNX_OPSET:
            raise ValueError("an operator has no successor")
    except Exception as error:
        raise RefusedError(
            f"its opset {model.opset_imports['']} cannot be raised to {LOWEST_ONNX_OPSET} ({error}); "
            f"export the model with opset {LOWEST_ONNX_OPSET} or later"
        ) from error
    lines.changed("the model", f"raised from opset {before} to {model.opset_imports['']}")
    if before < 11:
        _say_where_samples_lie(model, lines)
    _rename_half_pixels(model, lines)
    return lines.report()


_GROUPS_BY_CHANNEL = 21
"""The opset from which on GroupNormalization has a scale for each channel; before, it had one for each group, which ONNX's
checker does not let pass any more."""


def _replace_group_normalization(model: ir.Model, lines: Lines) -> None:
    """GroupNormalization(x, scale, bias) -> InstanceNormalization of [N, groups, -1], in the shape of x."""
    for node in list(model.graph.all_nodes()):
        if node.domain or node.op_type != "GroupNormalization":
            continue
        x, scale, bias = node.inputs
        graph, y, name = node.graph, node.outputs[0], name_of(node)
        assert isinstance(graph, ir.Graph) and x is not None
        groups = node.attributes["num_groups"].as_int()
        target = constant(graph, f"{name}_groups", np.asarray([0, groups, -1], np.int64))
        epsilon = {"epsilon": node.attributes.get_float("epsilon", 1e-5)}
        split = ir.node("Reshape", [x, target], name=f"{name}_split")
        norm = ir.node("InstanceNormalization", [split.outputs[0], scale, bias], epsilon, name=name)
        shape = ir.node("Shape", [x], name=f"{name}_shape")
        joined = ir.node("Reshape", [norm.outputs[0], shape.outputs[0]], name=f"{name}_joined")
        result = joined.outputs[0]
        graph.insert_before(node, [split, norm, shape, joined])
        result.type, result.shape = y.type, y.shape
        y.replace_all_uses_with(result, replace_graph_outputs=True)
        graph.remove(node, safe=True)
        result.name = y.name
        lines.changed(norm, "was a GroupNormalization with a scale for each group, which newer opsets do not have")


def _say_where_samples_lie(model: ir.Model, lines: Lines) -> None:
    """What Upsample and the first Resize computed has a name since opset 11, which is not the default."""
    for node in model.graph.all_nodes():
        if node.op_type == "Resize":
            mode, nearest = "coordinate_transformation_mode", "nearest_mode"
            node.attributes[mode] = ir.AttrString(mode, "asymmetric")
            node.attributes[nearest] = ir.AttrString(nearest, "floor")
            lines.changed(node, "its coordinates are asymmetric, as they were before opset 11")


def _rename_half_pixels(model: ir.Model, lines: Lines) -> None:
    """floor((x + 0.5) / scale), as TensorFlow has it, is half_pixel rounded to the nearest, halves up: floor(z + 0.5)."""
    for node in model.graph.all_nodes():
        mode, nearest = "coordinate_transformation_mode", "nearest_mode"
        if node.op_type != "Resize" or node.attributes.get_string(mode, "") != "tf_half_pixel_for_nn":
            continue
        if node.attributes.get_string(nearest, "") == "floor":
            node.attributes[mode] = ir.AttrString(mode, "half_pixel")
            node.attributes[nearest] = ir.AttrString(nearest, "round_prefer_ceil")
            lines.changed(node, "tf_half_pixel_for_nn has another name since opset 13")
