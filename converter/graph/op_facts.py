"""Facts about ONNX operators: which are linear, which have weights, which read shapes, which keep a state."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

Changes = Callable[[ir.Value], bool]
"""Whether a value depends on the samples, or differs from step to step."""
_LINEAR = frozenset(
    """
    Add AveragePool BatchNormalization Cast CastLike Concat Conv ConvTranspose CumSum DepthToSpace Dropout Expand Flatten
    Gather GatherElements GatherND GlobalAveragePool Identity Mean Neg Pad ReduceMean ReduceSum Reshape Resize Slice
    SpaceToDepth Split Squeeze Sub Sum Tile Transpose Trilu Unsqueeze Upsample
    """.split()
)
_LINEAR_IN_ONE = frozenset("Einsum Gemm MatMul Mul".split())
_WEIGHTED = frozenset("Conv ConvTranspose Einsum Gemm MatMul".split())
_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def is_linear(node: ir.Node, changes: Changes) -> bool:
    """Whether the mean of the node's results is its result of the mean (a constant term may be added)."""
    if node.domain:
        return False
    signals = [index for index, value in enumerate(node.inputs) if value is not None and changes(value)]
    if node.op_type == "Div":
        return signals == [0]
    if node.op_type == "Cast":
        return node.attributes["to"].as_int() in _FLOATS
    if node.op_type == "Resize":
        return _mode(node) in ("nearest", "linear", "cubic") and signals == [0]
    if node.op_type in ("Pad", "Conv", "ConvTranspose", "Gather", "GatherElements", "GatherND"):
        return signals == [0]
    return node.op_type in _LINEAR or (node.op_type in _LINEAR_IN_ONE and len(signals) == 1)


def has_weights(node: ir.Node, changes: Changes) -> bool:
    """Whether the node is a linear layer: its signal meets trained numbers, synapses, in many products."""
    return node.op_type in _WEIGHTED and is_linear(node, changes)


def _mode(node: ir.Node) -> str:
    attribute = node.attributes.get("mode")
    return "nearest" if attribute is None else attribute.as_string()


SHAPES = frozenset({"Shape", "Size"})
RECURRENT = frozenset("LSTM GRU RNN Scan Loop".split())
