"""Poolings: averages are fixed sparse transforms; maxima are functions, as they do not commute with time."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.nengo.handlers.convolution import windows_of
from converter.nengo.script import Script


def average_pool(node: ir.Node, script: Script) -> None:
    """The mean over each window."""
    index = _windows(node, script)
    counts_pads = node.attributes.get_int("count_include_pad", 0)
    if counts_pads and node.attributes.get_int("ceil_mode", 0):
        raise RefusedError("count_include_pad together with ceil_mode")
    y = script.declare_sum(node.outputs[0])
    script.add(f"index = {index}")
    divisors = "np.full(len(index), index.shape[1])" if counts_pads else "(index >= 0).sum(axis=1)"
    script.add(f"average({script.variable(node.inputs[0])}, {y}, index, {divisors})")


def global_average_pool(node: ir.Node, script: Script) -> None:
    """The mean of each channel."""
    _mean(node, script, tuple(range(2, len(_shape(node, script)) + 1)))


def reduce_mean(node: ir.Node, script: Script) -> None:
    """The mean over axes."""
    rank = len(_shape(node, script)) + 1
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        axes = script.constant(node.inputs[1]).ravel().tolist()
    elif "axes" in node.attributes:
        axes = list(node.attributes["axes"].as_ints())
    else:
        axes = list(range(rank))
    _mean(node, script, tuple(sorted(axis % rank for axis in axes)))


def max_pool(node: ir.Node, script: Script) -> None:
    """The largest of each window."""
    if len(node.outputs) > 1 and node.outputs[1].uses():
        raise RefusedError("the indices of the maxima are used")
    _largest(node, script, _windows(node, script))


def global_max_pool(node: ir.Node, script: Script) -> None:
    """The largest of each channel."""
    shape = _shape(node, script)
    _largest(node, script, f"np.arange({int(np.prod(shape))}).reshape({shape[0]}, -1)")


def _largest(node: ir.Node, script: Script, index: str) -> None:
    name = script.declare(node.outputs[0])
    x = script.variable(node.inputs[0])
    script.add(f"{name} = apply({name!r}, largest({index}), [{x}], {script.size(node.outputs[0])})")


def _mean(node: ir.Node, script: Script, axes: tuple[int, ...]) -> None:
    if 0 in axes:
        raise RefusedError("a mean over the batch axis")
    shape = _shape(node, script)
    index = np.arange(int(np.prod(shape))).reshape(shape)
    inner = tuple(axis - 1 for axis in axes)
    index = np.moveaxis(index, inner, range(-len(inner), 0)).reshape(script.size(node.outputs[0]), -1)
    y = script.declare_sum(node.outputs[0])
    script.add(f"index = {script.array(f'{node.name}/index', index)}")
    script.add(f"average({script.variable(node.inputs[0])}, {y}, index, np.full(len(index), index.shape[1]))")


def _windows(node: ir.Node, script: Script) -> str:
    shape = _shape(node, script)
    kernel = tuple(node.attributes["kernel_shape"].as_ints())
    window, strides, pads, dilations = windows_of(node, kernel, shape[1:])
    output = script.shape(node.outputs[0])
    return f"windows({shape}, {window}, {strides}, {pads[: len(window)]}, {dilations}, {output})"


def _shape(node: ir.Node, script: Script) -> tuple[int, ...]:
    assert node.inputs[0] is not None
    return script.shape(node.inputs[0])
