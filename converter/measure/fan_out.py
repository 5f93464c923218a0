"""How many products each number that enters a layer with weights takes part in: its fan-out.

A spike causes as many additions. Weights that would meet the border of zeros around an image, and products beyond a cropped
edge, do not exist and do not count, so that the fan-out differs from position to position:

    Conv            fan-out(c, i) = outputs per group * pairs (k, o) with o stride + k dilation - pad = i, along each axis
    ConvTranspose   fan-out(c, i) = outputs per group * offsets k with 0 <= i stride + k dilation - pad < length, each axis
    MatMul, Gemm    all products / elements of the operand
    Einsum          product of the lengths of the letters that the operand does not have
    LSTM, GRU, RNN  directions * gates * hidden units; the recurrence has no input of the graph (`recurrence`)

The sum over a layer's input is its number of multiply-adds, as NeuroBench counts them in "Dense".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from converter.graph.build import constant_of
from converter.graph.op_facts import facts

ShapeOf = Callable[[ir.Value], tuple[int, ...] | None]
"""The shape of a value for one sample."""


def entries(node: ir.Node) -> range:
    """The inputs of a layer through which a signal may enter; the others are weights, biases and states."""
    if node.op_type == "Einsum":
        return range(len(node.inputs))
    return range(2 if node.op_type in ("MatMul", "Gemm") else 1)


def is_layer(node: ir.Node) -> bool:
    """Whether numbers that enter meet weights in many products."""
    return facts(node).weighted or _is_cell(node)


def fan_out(node: ir.Node, index: int, shape_of: ShapeOf, *, effective: bool = False) -> np.ndarray:
    """Products that each element of an input takes part in, broadcastable to the input of one sample.

    Args:
        node: a layer.
        index: which of its inputs, one of `entries`.
        shape_of: shapes for one sample.
        effective: products with a weight of 0 do not count.
    """
    x, y = shape_of(_given(node, index)), shape_of(node.outputs[0])
    if x is None or (y is None and not _is_cell(node)):
        return np.zeros(())
    weights = _weights(node, index) if effective else None
    if node.op_type in ("Conv", "ConvTranspose"):
        assert y is not None
        return _of_convolution(node, x, y, shape_of(_given(node, 1)), weights)
    if _is_cell(node):
        w = shape_of(_given(node, 1))
        found = float(w[0] * w[1]) if w else 0.0
    else:
        found = products(node, shape_of) / max(1, math.prod(x))
    if weights is None or not weights.size:
        return np.asarray(found)
    by_row = _rows(node, index, weights)
    return np.asarray(found * np.count_nonzero(weights) / weights.size) if by_row is None else by_row


def products(node: ir.Node, shape_of: ShapeOf) -> int:
    """All multiply-adds of a MatMul, Gemm or Einsum for one sample."""
    if node.op_type == "Einsum":
        return _of_einsum(node, shape_of)
    x, y = shape_of(_given(node, 0)), shape_of(node.outputs[0])
    if not x or y is None:
        return 0
    turned = node.op_type == "Gemm" and "transA" in node.attributes and node.attributes["transA"].as_int()
    return math.prod(y) * (x[0] if turned else x[-1])


def recurrence(node: ir.Node, shape_of: ShapeOf) -> int:
    """Multiply-adds of a recurrent layer's states with their weights, for one sample; 0 of other layers."""
    if not _is_cell(node):
        return 0
    x, w = shape_of(_given(node, 0)), shape_of(_given(node, 2))
    return math.prod(x) // max(1, x[-1]) * math.prod(w) if x and w else 0


def width(node: ir.Node, shape_of: ShapeOf) -> int:
    """How many outputs an element meets at one position of a convolution; 0 of other layers."""
    w = shape_of(_given(node, 1)) if node.op_type in ("Conv", "ConvTranspose") else None
    if w is None:
        return 0
    group = node.attributes["group"].as_int() if "group" in node.attributes else 1
    return w[1] if node.op_type == "ConvTranspose" else w[0] // group


def _is_cell(node: ir.Node) -> bool:
    """LSTM and its like: a recurrent layer whose weights are inputs."""
    return facts(node).recurrent and bool(facts(node).initial_states)


def _given(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _weights(node: ir.Node, index: int) -> np.ndarray | None:
    """The trained numbers that an input meets; None where it meets another signal."""
    if node.op_type == "Einsum":
        others = [i for i in entries(node) if i != index]
        return constant_of(node.inputs[others[0]]) if len(others) == 1 else None
    return constant_of(node.inputs[1 - index])


def _rows(node: ir.Node, index: int, weights: np.ndarray) -> np.ndarray | None:
    """Weights that are not 0 for each element along the axis that is summed over; None where that is not so simple."""
    if weights.ndim != 2 or node.op_type not in ("MatMul", "Gemm") or (index and node.op_type == "Gemm"):
        return None
    if node.op_type == "Gemm":
        if "transA" in node.attributes and node.attributes["transA"].as_int():
            return None
        turned = "transB" in node.attributes and node.attributes["transB"].as_int()
        return np.asarray(np.count_nonzero(weights, axis=0 if turned else 1), float)
    by_row = np.asarray(np.count_nonzero(weights, axis=0 if index else 1), float)
    return by_row[:, None] if index else by_row


def _of_convolution(
    node: ir.Node, x: Sequence[int], y: Sequence[int], w: Sequence[int] | None, weights: np.ndarray | None
) -> np.ndarray:
    """``[1, channels, ...]``, or without weights ``[1, 1, ...]``."""
    if w is None:
        return np.zeros(())
    group = node.attributes["group"].as_int() if "group" in node.attributes else 1
    along = [_pairs(node, axis, x[axis + 2], y[axis + 2], w[axis + 2]) for axis in range(len(x) - 2)]
    turned = node.op_type == "ConvTranspose"
    if weights is None:
        result = np.full((1, 1), float(w[1] if turned else w[0] // group))
        for pairs in along:
            result = result[..., None] * pairs.sum(axis=0)
        return result
    nonzero = (weights != 0).astype(float)
    if not turned:  # [outputs, channels per group, ...], made [channels, outputs per group, ...]
        nonzero = nonzero.reshape(group, -1, *w[1:]).swapaxes(1, 2).reshape(-1, w[0] // group, *w[2:])
    by_channel = nonzero.sum(axis=1)
    for pairs in along:  # each step turns the first axis of offsets into a last axis of positions
        by_channel = np.tensordot(by_channel, pairs, axes=(1, 0))
    return np.asarray(by_channel[None])


def _pairs(node: ir.Node, axis: int, length: int, outputs: int, kernel: int) -> np.ndarray:
    """``[kernel, length]``: how many outputs an element meets through each offset of the kernel, along one axis."""

    def of_axis(name: str, usual: int) -> int:
        return int(node.attributes[name].as_ints()[axis]) if name in node.attributes else usual

    stride, dilation = of_axis("strides", 1), of_axis("dilations", 1)
    offsets = np.arange(kernel)[:, None] * dilation
    turned = node.op_type == "ConvTranspose"
    mode = node.attributes["auto_pad"].as_string() if "auto_pad" in node.attributes else "NOTSET"
    total = (
        (length - 1) * stride + (kernel - 1) * dilation + 1 - outputs
        if turned
        else (outputs - 1) * stride + (kernel - 1) * dilation + 1 - length
    )
    if turned:
        total += of_axis("output_padding", 0)
    if mode in ("SAME_UPPER", "SAME_LOWER") or (turned and "output_shape" in node.attributes):
        total = max(total, 0)
        before = total // 2 if mode == "SAME_UPPER" else total - total // 2
    else:
        before = of_axis("pads", 0)
    places = np.arange(length)[None]
    if turned:
        reached = places * stride + offsets - before
        return np.asarray((reached >= 0) & (reached < outputs), float)
    reached = places + before - offsets
    return np.asarray((reached % stride == 0) & (reached >= 0) & (reached // stride < outputs), float)


def _of_einsum(node: ir.Node, shape_of: ShapeOf) -> int:
    """The product of the lengths of all letters; "..." stands for the same axes in every operand, aligned at the right."""
    terms = node.attributes["equation"].as_string().replace(" ", "").partition("->")[0].split(",")
    lengths: dict[str | int, int] = {}
    for term, value in zip(terms, node.inputs, strict=True):
        shape = shape_of(value) if value is not None else None
        if shape is None:
            return 0
        before, dots, after = term.partition("...")
        others = range(-(len(shape) - len(before) - len(after)), 0) if dots else ()
        for letter, length in zip((*before, *others, *after), shape, strict=True):
            lengths[letter] = max(lengths.get(letter, 1), length)
    return math.prod(lengths.values()) if len(terms) > 1 else 0
