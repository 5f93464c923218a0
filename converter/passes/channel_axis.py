"""Finds the axis of a value along which channels lie: the output channels of the layer before it."""

from __future__ import annotations

import onnx_ir as ir

_CHANNELS_FIRST = {"Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "MaxPool", "AveragePool"}
_CHANNELS_LAST = {"MatMul", "Gemm", "LayerNormalization"}


def channel_axis(value: ir.Value) -> int:
    """Walks back to the layer that made the value: axis 1 behind a convolution, the last axis behind a matrix product.

    A Transpose on the way moves the axis. Without such a layer it is axis 1, as in NCHW.
    """
    rank = len(value.shape) if value.shape is not None else 2
    if rank <= 2:
        return rank - 1
    permutations: list[list[int]] = []
    seen: set[ir.Node] = set()
    axis = 1
    node = value.producer()
    while node is not None and node not in seen:
        seen.add(node)
        if node.op_type in _CHANNELS_FIRST:
            break
        if node.op_type in _CHANNELS_LAST:
            axis = rank - 1
            break
        if node.op_type == "Transpose" and "perm" in node.attributes:
            permutations.append(list(node.attributes["perm"].as_ints()))
        elif node.op_type in ("Reshape", "Flatten", "Concat", "Squeeze", "Unsqueeze"):
            break
        node = next((v.producer() for v in node.inputs if v is not None and v.producer() is not None), None)
    for permutation in reversed(permutations):
        axis = permutation.index(axis)
    return axis
