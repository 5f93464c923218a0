"""Operators that move numbers and change none: which number goes where, ONNX Runtime says on a vector of indices."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.run import start_quietly
from converter.nengo.script import Script
from snn_ops.format import LOWEST_IR_VERSION

MOST = 1 << 24
"""Indices up to here are exact in float32."""


def alias(node: ir.Node, script: Script) -> None:
    """The same flat vector under another name; one step of TimeRepeat is its input, and TimeLast if time ended there."""
    x = node.inputs[0]
    assert x is not None
    if script.size(x) != script.size(node.outputs[0]):
        raise RefusedError(f"it makes {script.shape(node.outputs[0])} of {script.shape(x)}")
    script.alias(node.outputs[0], x)


def move(node: ir.Node, script: Script) -> None:
    """A sparse transform of ones."""
    moved = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    constant = next((x for x in moved if not script.is_signal(x)), None)
    if constant is not None:
        raise RefusedError(f"{constant.name!r} is a constant; only values that depend on the input can be moved")
    signals = list(dict.fromkeys(x for x in node.inputs if script.is_signal(x) and x is not None))
    if sum(script.size(x) for x in signals) >= MOST:
        raise RefusedError("too many values")
    starts = np.cumsum([1, *(script.size(x) for x in signals)])
    outputs = _run(node, script, dict(zip([str(x.name) for x in signals], starts, strict=False)))
    for number, (value, array) in enumerate(zip(node.outputs, outputs, strict=True)):
        if not value.uses() and not value.is_graph_output():
            continue
        y = script.declare_sum(value)
        for position, (x, start) in enumerate(zip(signals, starts, strict=False)):
            index = array - start
            index = np.where((index >= 0) & (index < script.size(x)), index, -1)
            name = f"{node.name}/index{number}_{position}"
            script.add(f"move({script.variable(x)}, {y}, {script.array(name, index)})")


def _run(node: ir.Node, script: Script, starts: dict[str, int]) -> list[np.ndarray]:
    """The node on the numbers from `start` on, which are the places of its inputs; 0 is what it makes up, such as padding."""
    if node.op_type == "Pad":
        if node.attributes.get_string("mode", "constant") not in ("constant", "reflect", "edge", "wrap"):
            raise RefusedError("an unknown mode")
        if len(node.inputs) > 2 and node.inputs[2] is not None and script.constant(node.inputs[2]).any():
            raise RefusedError("padding with something else than 0")
    copies: dict[ir.Value | None, ir.Value | None] = {None: None}
    initializers: list[ir.Value] = []
    for value in dict.fromkeys(value for value in node.inputs if value is not None):
        name = str(value.name)
        if name in starts:
            type_, shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape(script.shapes[name])
            copies[value] = ir.Value(name=name, type=type_, shape=shape)
        else:
            array = script.constant(value)
            tensor = ir.tensor(array, name=name)
            type_, shape = ir.TensorType(tensor.dtype), ir.Shape(array.shape)
            initializers.append(ir.Value(name=name, const_value=tensor, type=type_, shape=shape))
            copies[value] = initializers[-1]
    outputs = [ir.Value(name=f"y{i}", type=ir.TensorType(ir.DataType.FLOAT)) for i in range(len(node.outputs))]
    copy = ir.node(node.op_type, [copies[value] for value in node.inputs], dict(node.attributes), outputs=outputs)
    graph = ir.Graph(
        [value for value in copies.values() if value is not None and value not in initializers],
        outputs,
        nodes=[copy],
        initializers=initializers,
        opset_imports=script.model.opset_imports,
    )
    feed = {
        name: (start + np.arange(np.prod(script.shapes[name]))).reshape(script.shapes[name]).astype(np.float32)
        for name, start in starts.items()
    }
    arrays = start_quietly(ir.Model(graph, ir_version=script.model.ir_version or LOWEST_IR_VERSION)).run(None, feed)
    return [array.ravel().astype(np.int64) for array in arrays]
