"""Small steps on an onnx-ir graph that all rooms above share."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import numpy as np
import onnx
import onnx_ir as ir

from converter.graph.op_facts import facts
from snn_ops.format import DOMAIN, N_STEPS, OPSET_VERSION
from snn_ops.ops import OPERATORS, Operator


@contextmanager
def without_library_warnings() -> Iterator[None]:
    """onnxscript and onnx-ir log warnings about what they leave as it is; the reports of passes say what matters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def maker_of(value: ir.Value) -> str:
    """The name of the node that makes a value; of an input its own."""
    node = value.producer()
    return str(value.name) if node is None else name_of(node)


def name_of(node: ir.Node) -> str:
    """How to speak of a node: its name, or that of its first output."""
    return node.name or str(node.outputs[0].name)


def name_nodes(model: ir.Model) -> None:
    """Every node gets a name of its own, that of its first output where it has none: reports speak of nodes by name."""
    used: set[str] = set()
    for node in model.graph:
        name = name_of(node)
        while name in used:
            name += "_"
        used.add(name)
        node.name = name


_TAKEN: WeakKeyDictionary[ir.Graph, set[str | None]] = WeakKeyDictionary()
"""The names that a graph has, for as long as it lives; a copy has names of its own."""


def free_name(graph: ir.Graph, name: str) -> str:
    """A name for something new in the graph: this one, or with a number after it where a value or a node has that already.

    Every name that we make up comes from here: any name may be the model's own.
    """
    taken = _TAKEN.get(graph)
    if taken is None:
        nodes = list(graph.all_nodes())
        taken = {value.name for node in nodes for value in (*node.inputs, *node.outputs) if value is not None}
        taken |= {value.name for value in (*graph.inputs, *graph.outputs, *graph.initializers.values())}
        taken |= {node.name for node in nodes}
        _TAKEN[graph] = taken
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    taken.add(unique)
    return unique


def constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """An initialiser; `name` gets a suffix if it is taken."""
    unique = free_name(graph, name)
    tensor = ir.tensor(array, name=unique)
    shape = ir.Shape(array.shape)
    value = ir.Value(name=unique, type=ir.TensorType(tensor.dtype), shape=shape, const_value=tensor)
    graph.register_initializer(value)
    return value


def add_n_steps(model: ir.Model, default: int) -> ir.Value:
    """The graph input `n_steps`, with a default."""
    tensor = ir.tensor(np.asarray(default, np.int64), name=N_STEPS)
    value = ir.Value(name=N_STEPS, type=ir.TensorType(ir.DataType.INT64), shape=ir.Shape([]), const_value=tensor)
    model.graph.inputs.append(value)
    model.graph.register_initializer(value)
    return value


def operator_node(
    graph: ir.Graph,
    op_type: str,
    name: str,
    x: ir.Value,
    n_steps: ir.Value,
    operands: Mapping[str, np.ndarray] | None = None,
    attributes: Mapping[str, float | int] | None = None,
) -> ir.Node:
    """A node of an operator of ONNX-SNN, as the format wants it: every input passed, every attribute written, every output
    listed; final states nobody asked for have an empty name.

    Args:
        graph: receives the operands as initialisers `NAME_OPERAND`. A file that was loaded keeps its version of the domain.
        op_type: the operator.
        name: the node's; its output is `NAME_OP_TYPE` until somebody renames it, or with a number after it where that is taken.
        x: the first input.
        n_steps: the number of steps.
        operands: parameters and initial states by their names in the operator's signature; what is left out is 0.
        attributes: those that differ from the operator's defaults.
    """
    version = graph.opset_imports.get(DOMAIN, OPSET_VERSION)
    operator = OPERATORS[op_type].at(version)
    element = np.dtype(np.float64 if x.dtype == ir.DataType.DOUBLE else np.float32)
    inputs: list[ir.Value | None] = [x]
    for tensor in operator.inputs[1:]:
        if tensor.name == N_STEPS:
            inputs.append(n_steps)
            continue
        value = np.asarray((operands or {}).get(tensor.name, 0), tensor.kind.dtype(element))
        inputs.append(constant(graph, f"{name}_{tensor.name}", value))
    return ir.node(
        op_type,
        inputs,
        {**operator.defaults, **(attributes or {})},
        domain=DOMAIN,
        version=version,
        outputs=[
            ir.Value(name=free_name(graph, f"{name}_{op_type}"), type=x.type),
            *(ir.Value(name="") for _ in operator.outputs[1:]),
        ],
        name=name,
    )


def operator_of(node: ir.Node) -> Operator:
    """What the node's operator is in the version of our domain that its model imports."""
    imports = node.graph.opset_imports if node.graph is not None else {}
    return OPERATORS[node.op_type].at(imports.get(DOMAIN, OPSET_VERSION))


def operand(node: ir.Node, name: str) -> ir.Value:
    """A node's input by its name in the operator's signature."""
    index = [tensor.name for tensor in operator_of(node).inputs].index(name)
    value = node.inputs[index]
    assert value is not None
    return value


def constant_of(value: ir.Value | None) -> np.ndarray | None:
    """A constant's numbers; None for what is computed when the model runs, or given as an input without default."""
    if value is None or value.const_value is None:
        return None
    array: np.ndarray = value.const_value.numpy()
    return array


def set_operand(node: ir.Node, name: str, array: np.ndarray) -> None:
    """Gives a parameter or an initial state of a neuron node its numbers."""
    set_constant(operand(node, name), array)


def set_constant(value: ir.Value, array: np.ndarray) -> None:
    """Replaces an initialiser's numbers."""
    assert value.dtype is not None
    value.const_value = ir.tensor(np.asarray(array, value.dtype.numpy()), name=value.name)
    value.shape = ir.Shape(array.shape)


def transposed(graph: ir.Graph, value: ir.Value, permutation: Sequence[int], name: str) -> ir.Node:
    """A Transpose of the value, for the graph; node and result have the name, with a number after it if it is taken."""
    name = free_name(graph, name)
    result = ir.Value(name=name, type=value.type)
    return ir.node("Transpose", [value], {"perm": list(permutation)}, outputs=[result], name=name)


def to_front(axis: int, rank: int) -> tuple[list[int], list[int]]:
    """The permutation that makes `axis` the first, and the one that puts it back."""
    there = [axis, *(other for other in range(rank) if other != axis)]
    return there, [there.index(other) for other in range(rank)]


def subgraphs(node: ir.Node) -> list[ir.Graph]:
    """The graphs among the node's attributes: bodies of Scan, Loop and If."""
    return [a.as_graph() for a in node.attributes.values() if a.type == ir.AttributeType.GRAPH]


def captured(node: ir.Node) -> set[ir.Value]:
    """Values of the node's graph that its subgraphs read without being given them as inputs."""
    graphs = subgraphs(node)
    read = [value for graph in graphs for inner in graph.all_nodes() for value in inner.inputs]
    read.extend(value for graph in graphs for value in graph.outputs)
    return {value for value in read if value is not None and value.graph is node.graph}


def add_functions(model: ir.Model) -> None:
    """Imports the domain of ONNX-SNN, unless it is there, with a function for each of its operators in the main graph."""
    version = model.opset_imports.setdefault(DOMAIN, OPSET_VERSION)
    for op_type in sorted({node.op_type for node in model.graph if node.domain == DOMAIN}):
        function = ir.serde.deserialize_function(OPERATORS[op_type].at(version).function(model.opset_imports[""]))
        model.functions[function.identifier()] = function


def to_proto(model: ir.Model) -> onnx.ModelProto:
    """The model as ONNX, with every output of ONNX-SNN's nodes listed.

    onnx-ir leaves out outputs without a name at the end; a node that calls a function must list them all, as "".
    """
    proto = ir.to_proto(model)
    for node in proto.graph.node:
        if node.domain == DOMAIN:
            operator = OPERATORS[node.op_type].at(model.opset_imports.get(DOMAIN, OPSET_VERSION))
            node.output.extend([""] * (len(operator.outputs) - len(node.output)))
    return proto


def depending_on_inputs(graph: ir.Graph) -> set[ir.Value]:
    """What depends on inputs without a default, other than through a shape; also what a subgraph reads of them."""
    depending = {value for value in graph.inputs if not value.is_initializer()}
    for node in graph:
        if not facts(node).reads_shape and any(value in depending for value in (*node.inputs, *captured(node))):
            depending.update(node.outputs)
    return depending
