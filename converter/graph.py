"""Small steps on an onnx-ir graph that passes, rules and neurons share."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from snn_ops.ops import DOMAIN, OPERATORS, OPSET_VERSION


def constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """An initialiser; `name` gets a suffix if it is taken."""
    unique = name
    count = 1
    while unique in graph.initializers:
        count += 1
        unique = f"{name}_{count}"
    tensor = ir.tensor(array, name=unique)
    shape = ir.Shape(array.shape)
    value = ir.Value(name=unique, type=ir.TensorType(tensor.dtype), shape=shape, const_value=tensor)
    graph.register_initializer(value)
    return value


def add_functions(model: ir.Model) -> None:
    """The import of our domain, and a function for each of our operators in the main graph."""
    model.opset_imports[DOMAIN] = OPSET_VERSION
    for op_type in sorted({node.op_type for node in model.graph if node.domain == DOMAIN}):
        function = ir.serde.deserialize_function(OPERATORS[op_type].function(model.opset_imports[""]))
        model.functions[function.identifier()] = function


def to_proto(model: ir.Model) -> onnx.ModelProto:
    """The model as ONNX, with every output of our nodes listed.

    onnx-ir leaves out outputs without a name at the end; a node that calls a function must list them all, as "".
    """
    proto = ir.to_proto(model)
    for node in proto.graph.node:
        if node.domain == DOMAIN:
            node.output.extend([""] * (len(OPERATORS[node.op_type].outputs) - len(node.output)))
    return proto
