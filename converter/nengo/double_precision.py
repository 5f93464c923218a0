"""A model in double precision, to be held against nengo.Simulator, which computes in it.

ONNX Runtime has no Conv, ConvTranspose, AveragePool, GlobalAveragePool and GlobalMaxPool for float64 on a CPU. They become what
it has: Gather of each window's inputs, and a matrix product, a mean or a maximum.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from converter.graph.build import constant, constant_of, name_nodes, set_constant, subgraphs, to_proto
from converter.graph.shapes import Shapes
from converter.nengo.handlers.convolution import cut_off, windows_of
from converter.nengo.parts import windows
from converter.nengo.shapes import shapes_of_one_step

_SINGLE = (ir.DataType.FLOAT, ir.DataType.FLOAT16)


def as_float64(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose inputs, weights and values are float64.

    Raises:
        RefusedError: free lengths, or convolutions over more than two axes.
    """
    shapes = shapes_of_one_step(proto)
    model = ir.from_proto(proto)
    name_nodes(model)
    graph = model.graph
    bodies = [body for node in graph for body in subgraphs(node)]
    inputs = [value for each in (graph, *bodies) for value in each.inputs]
    results = [value for each in (graph, *bodies) for node in each for value in node.outputs]
    for value in [*inputs, *graph.initializers.values(), *results]:
        if value.dtype not in _SINGLE:
            continue
        value.dtype = ir.DataType.DOUBLE
        array = constant_of(value)
        if array is not None:
            set_constant(value, array)
    for node in list(graph):
        if node.op_type == "Cast" and node.attributes["to"].as_int() in _SINGLE:
            node.attributes["to"] = ir.AttrInt64("to", ir.DataType.DOUBLE)
        replace = _REPLACED.get(node.op_type)
        if replace is not None and not node.domain:
            _Replacement(graph, node, shapes).put(replace)
    return to_proto(model)


class _Replacement:
    """The nodes that stand for one node."""

    def __init__(self, graph: ir.Graph, node: ir.Node, shapes: Shapes) -> None:
        self.graph, self.node = graph, node
        self.x, self.y = (
            shapes[str(value.name)][1:] for value in (node.inputs[0], node.outputs[0]) if value is not None
        )
        self.nodes: list[ir.Node] = []

    def put(self, replace: object) -> None:
        """Puts the nodes in the node's place."""
        result = replace(self)  # type: ignore[operator]
        self.graph.insert_after(self.node, self.nodes)
        old = self.node.outputs[0]
        for user, index in list(old.uses()):
            user.replace_input_with(index, result)
        for index, output in enumerate(self.graph.outputs):
            if output is old:
                self.graph.outputs[index] = result
        name, result.shape = old.name, old.shape
        self.graph.remove(self.node, safe=True)
        result.name = name

    def constant(self, name: str, array: np.ndarray | list[int]) -> ir.Value:
        """An initialiser."""
        return constant(self.graph, f"{self.node.name}/{name}", np.asarray(array))

    def add(self, op_type: str, *inputs: ir.Value, **attributes: int | list[int]) -> ir.Value:
        """A node."""
        name = f"{self.node.name}/{op_type}{len(self.nodes)}"
        output = ir.Value(name=name, type=ir.TensorType(ir.DataType.DOUBLE))
        self.nodes.append(ir.node(op_type, inputs, attributes, outputs=[output], name=name))
        return output

    def gathered(self, index: np.ndarray) -> ir.Value:
        """The inputs at these places, ``[batch, *index.shape]``; 0 where the index is -1."""
        x = self.node.inputs[0]
        assert x is not None
        flat = self.add("Reshape", x, self.constant("flat", [0, -1]))
        padded = self.add("Pad", flat, self.constant("pads", [0, 0, 0, 1]))
        return self.add("Gather", padded, self.constant("index", index.astype(np.int64)), axis=1)

    def window_index(self, kernel: tuple[int, ...]) -> np.ndarray:
        """``[channels * positions, window]``."""
        window, strides, pads, dilations = windows_of(self.node, kernel, self.x[1:])
        index: np.ndarray = windows(self.x, window, strides, pads[: len(window)], dilations, self.y)  # type: ignore[no-untyped-call]
        return index


def _conv(new: _Replacement) -> ir.Value:
    kernel = constant_of(new.node.inputs[1])
    assert kernel is not None
    index = new.window_index(kernel.shape[2:]).reshape(new.x[0], -1, kernel[0, 0].size)
    return _product(new, index, kernel)


def _conv_transpose(new: _Replacement) -> ir.Value:
    """An input i reaches the output o = i stride - pad + tap; so for each o and tap there is one i or none."""
    kernel = constant_of(new.node.inputs[1])
    assert kernel is not None
    places = np.arange(int(np.prod(new.x))).reshape(new.x)
    _, strides, _, _ = windows_of(new.node, kernel.shape[2:], new.x[1:], pads=False)
    pads = cut_off(new.node, new.y[1:], new.x[1:], strides, kernel.shape[2:])
    n = len(strides)
    at = np.indices((*new.y[1:], *kernel.shape[2:]))
    inside = np.ones(at.shape[1:], bool)
    source = []
    for axis in range(n):
        place = at[axis] + pads[axis] - at[n + axis]
        inside &= (place % strides[axis] == 0) & (place >= 0) & (place < new.x[1 + axis] * strides[axis])
        source.append(np.clip(place // strides[axis], 0, new.x[1 + axis] - 1))
    index = np.where(inside, places[(slice(None), *source)], -1)
    return _product(new, index.reshape(new.x[0], -1, kernel[0, 0].size), np.moveaxis(kernel, 0, 1))


def _product(new: _Replacement, index: np.ndarray, kernel: np.ndarray) -> ir.Value:
    """``index`` [channels, positions, window], ``kernel`` [filters, channels of a group, ...]."""
    groups = index.shape[0] // kernel.shape[1]
    by_group = index.reshape(groups, -1, *index.shape[1:]).transpose(0, 2, 1, 3).reshape(groups, index.shape[1], -1)
    matrix = kernel.reshape(groups, kernel.shape[0] // groups, -1).transpose(0, 2, 1)
    y = new.add("MatMul", new.gathered(by_group), new.constant("matrix", matrix.astype(np.float64)))
    y = new.add("Transpose", y, perm=[0, 1, 3, 2])
    y = new.add("Reshape", y, new.constant("shape", [0, *new.y]))
    bias = constant_of(new.node.inputs[2]) if len(new.node.inputs) > 2 else None
    if bias is None:
        return y
    channels = bias.astype(np.float64).reshape(-1, *(1,) * (len(new.y) - 1))
    return new.add("Add", y, new.constant("bias", channels))


def _average_pool(new: _Replacement) -> ir.Value:
    index = new.window_index(tuple(new.node.attributes["kernel_shape"].as_ints()))
    with_pads = new.node.attributes.get_int("count_include_pad", 0)
    return _mean(new, index, np.full(len(index), index.shape[1]) if with_pads else (index >= 0).sum(axis=1))


def _global_average_pool(new: _Replacement) -> ir.Value:
    index = np.arange(int(np.prod(new.x))).reshape(new.x[0], -1)
    return _mean(new, index, np.full(len(index), index.shape[1]))


def _global_max_pool(new: _Replacement) -> ir.Value:
    x = new.node.inputs[0]
    assert x is not None
    axes = new.constant("axes", list(range(2, len(new.x) + 1)))
    return new.add("ReduceMax", x, axes, keepdims=1)


def _mean(new: _Replacement, index: np.ndarray, divisors: np.ndarray) -> ir.Value:
    total = new.add("ReduceSum", new.gathered(index), new.constant("axes", [2]), keepdims=0)
    mean = new.add("Div", total, new.constant("divisors", divisors.astype(np.float64)))
    return new.add("Reshape", mean, new.constant("shape", [0, *new.y]))


_REPLACED = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
}
