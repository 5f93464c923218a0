"""Finds the functions of one signal in a graph, however an exporter wrote them.

A function is one node, such as ``Relu``, or several that work element by element on one value and on numbers, such as
``Mul(x, Sigmoid(x))``. From a node that is not linear the search goes back until a single value is left:

    Mul(a, b), a = 0.5 x, b = 1 + Erf(x / 1.414)    ->    a function of x, of five nodes

Functions that follow each other with nothing but numbers in between become one (``Min(Relu(x), 6)``). Which activation
a function is, `known.recognise` tells: by its operator, or by its values (`ElementwiseFunction.values`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from converter.graph.op_facts import Changes, facts, is_linear
from converter.graph.run import start_quietly

_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16)


@dataclass(frozen=True)
class ElementwiseFunction:
    """``y = f(x)``, element by element.

    Attributes:
        x, y: the values.
        nodes: those from x to y, in the order of the graph.
    """

    x: ir.Value
    y: ir.Value
    nodes: tuple[ir.Node, ...]

    @functools.cached_property
    def is_scalar(self) -> bool:
        """Whether all its numbers are the same for every element."""
        inside = {value for node in self.nodes for value in node.outputs} | {self.x}
        return all(
            value is None or value in inside or (value.const_value is not None and value.const_value.size <= 1)
            for node in self.nodes
            for value in node.inputs
        )

    def values(self, x: np.ndarray) -> np.ndarray | None:
        """f of the numbers ``x`` [n], computed by ONNX Runtime; None where elements differ or types do not fit."""
        if not self.is_scalar or self.x.dtype not in _FLOATS:
            return None
        rank = len(self.x.shape) if self.x.shape is not None else 1
        element = self.x.dtype.numpy()
        with np.errstate(over="ignore"):  # far from 0 there are no float16
            given = x.astype(element)
        feed = given.reshape(-1, *[1] * max(rank - 1, 0))
        (y,) = start_quietly(self._model(feed.ndim)).run(None, {str(self.x.name): feed})
        result: np.ndarray = y.astype(np.float64).reshape(-1)
        return result if result.shape == x.shape else None

    def _model(self, rank: int) -> onnx.ModelProto:
        graph = self.nodes[0].graph
        assert graph is not None and self.x.dtype is not None
        constants = {v for node in self.nodes for v in node.inputs if v is not None and v.const_value is not None}
        initializers = []
        for value in constants:
            assert value.const_value is not None
            initializers.append(onnx.numpy_helper.from_array(value.const_value.numpy(), value.name))
        info = onnx.helper.make_tensor_value_info(str(self.x.name), int(self.x.dtype), [None] * rank)
        return onnx.helper.make_model(
            onnx.helper.make_graph(
                [ir.serde.serialize_node(node) for node in self.nodes],
                "function",
                [info],
                [onnx.ValueInfoProto(name=self.y.name)],
                initializers,
            ),
            opset_imports=[onnx.helper.make_opsetid("", graph.opset_imports[""])],
            ir_version=9,
        )


def find_functions(model: ir.Model, changes: Changes) -> list[ElementwiseFunction]:
    """All functions of the main graph that are not linear, in the order of the graph; they share no node."""
    nodes = list(model.graph)
    order = {node: index for index, node in enumerate(nodes)}
    functions: list[ElementwiseFunction] = []
    inside: set[ir.Node] = set()
    for node in reversed(nodes):
        if node in inside or not _ends_function(node, changes):
            continue
        function = _trace(node, order, changes)
        if function is not None:
            functions.append(function)
            inside.update(function.nodes)
    return _joined(functions[::-1], order, changes)


def _is_elementwise(node: ir.Node) -> bool:
    return facts(node).elementwise and len(node.outputs) == 1


def _ends_function(node: ir.Node, changes: Changes) -> bool:
    """Whether the node gives numbers of its own: not those of its input as another type, no truth values, no indices."""
    row, element = facts(node), node.outputs[0].dtype
    if (
        not _is_elementwise(node)
        or row.truth_value
        or row.converts
        or not (element is None or element.is_floating_point())
    ):
        return False
    return bool(_signals(node, changes)) and not is_linear(node, changes)


def _signals(node: ir.Node, changes: Changes) -> list[ir.Value]:
    return [value for value in node.inputs if value is not None and changes(value)]


def _trace(last: ir.Node, order: dict[ir.Node, int], changes: Changes) -> ElementwiseFunction | None:
    """Back from `last` to the one value that it is a function of."""
    nodes = {last}
    frontier = set(_signals(last, changes))
    while len(frontier) > 1:
        value = max(frontier, key=lambda v: order.get(v.producer(), -1))  # type: ignore[arg-type]
        producer = value.producer()
        if producer is None or not _is_elementwise(producer):
            return None
        frontier.remove(value)
        frontier.update(_signals(producer, changes))
        nodes.add(producer)
    (x,) = frontier
    return _function(x, last, nodes, order)


def _function(x: ir.Value, last: ir.Node, nodes: set[ir.Node], order: dict[ir.Node, int]) -> ElementwiseFunction | None:
    """The function, None where a value inside it is used elsewhere or lengths differ between x and y."""
    for node in nodes - {last}:
        value = node.outputs[0]
        if value.is_graph_output() or any(user not in nodes for user, _ in value.uses()):
            return None
    y = last.outputs[0]
    if x.shape is not None and y.shape is not None and list(x.shape.dims[1:]) != list(y.shape.dims[1:]):
        return None
    return ElementwiseFunction(x, y, tuple(sorted(nodes, key=order.__getitem__)))


def _joined(
    functions: list[ElementwiseFunction], order: dict[ir.Node, int], changes: Changes
) -> list[ElementwiseFunction]:
    """Functions of functions, with sums and products with numbers in between, as one."""
    by_result = {function.y: function for function in functions}
    for function in functions:
        between: set[ir.Node] = set()
        value = function.x
        users = set(function.nodes)
        while (first := by_result.get(value)) is None:
            producer = value.producer()
            if producer is None or not _is_number_linear(producer, changes) or not _only_used_by(value, users):
                break
            between.add(producer)
            users = {producer}
            (value,) = _signals(producer, changes)
        if first is None or first is function or not _only_used_by(value, users):
            continue
        joined = _function(first.x, function.nodes[-1], {*first.nodes, *between, *function.nodes}, order)
        if joined is not None and joined.is_scalar:
            del by_result[first.y]
            by_result[joined.y] = joined
    functions = [_from_before_sign(function, order) for function in by_result.values()]
    return sorted(functions, key=lambda f: order[f.nodes[-1]])


def _from_before_sign(function: ElementwiseFunction, order: dict[ir.Node, int]) -> ElementwiseFunction:
    """A function of -x as one of x: exporters write 1 / (1 + exp(-x))."""
    sign = function.x.producer()
    in_pieces = len(function.nodes) > 1 and _only_used_by(function.x, set(function.nodes))
    if sign is None or sign.op_type != "Neg" or not in_pieces:
        return function
    x = sign.inputs[0]
    assert x is not None
    return _function(x, function.nodes[-1], {sign, *function.nodes}, order) or function


def _is_number_linear(node: ir.Node, changes: Changes) -> bool:
    numbers = [value for value in node.inputs if value is not None and not changes(value)]
    return (
        _is_elementwise(node)
        and not facts(node).converts
        and is_linear(node, changes)
        and len(_signals(node, changes)) == 1
        and all(value.const_value is not None and value.const_value.size == 1 for value in numbers)
    )


def _only_used_by(value: ir.Value, users: set[ir.Node]) -> bool:
    return not value.is_graph_output() and all(user in users for user, _ in value.uses())
