"""Makes targets of Reshape and Expand independent of the number of rows.

Exporters compute such targets from the shape of some other value, often the model's input: ``[batch, -1]`` with the batch
read off the input. In a spiking model that value may have B rows where the data has T*B. The data's own first axis says the
same, so the target's first entry becomes 0 (copy it; for Expand 1, keep it), or -1 where rows merge into it. Where samples lie
in another axis, [L, B, H d] -> [L, B H, d], that axis' entry becomes -1.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes
from converter.graph.build import constant, constant_of
from converter.graph.passes import Lines, PassReport
from converter.graph.shapes import Shapes


def local_shapes(model: ir.Model, axes: BatchAxes, shapes: Shapes) -> PassReport:
    """Rewrites the targets of the main graph.

    Args:
        model: a model with a free batch.
        axes: where the samples of each value lie.
        shapes: every value's shape for some number of samples.
    """
    lines = Lines("local shapes")
    fixed = all(isinstance(length, int) for value in model.graph.inputs for length in list(value.shape or [])[1:])
    for node in list(model.graph):
        if node.op_type not in ("Reshape", "Expand") or node.domain:
            continue
        data, result = node.inputs[0], node.outputs[0]
        before, after = (axes.axis.get(str(value.name)) if value is not None else None for value in (data, result))
        if before == after == 0:
            _localise(model.graph, node, shapes, lines, all_else_fixed=fixed)
        elif node.op_type == "Reshape" and isinstance(after, int) and fixed:
            _infer_samples(model.graph, node, shapes, after)
            lines.changed(node, f"the number of samples, in axis {after}, is inferred from the data")
        elif isinstance(after, int) and constant_of(node.inputs[1]) is None:
            target = node.inputs[1].name if node.inputs[1] is not None else ""
            lines.declined(node, f"its target {target!r} is computed when the model runs, left as it is")
    return lines.report()


def _infer_samples(graph: ir.Graph, node: ir.Node, shapes: Shapes, axis: int) -> None:
    """Samples in another axis than the first: their entry becomes -1, and all others are numbers."""
    entries = list(shapes[str(node.outputs[0].name)])
    entries[axis] = -1
    _set_target(node, constant(graph, f"{node.outputs[0].name}_target", np.asarray(entries, np.int64)))


def _localise(graph: ir.Graph, node: ir.Node, shapes: Shapes, lines: Lines, *, all_else_fixed: bool) -> None:
    """Samples in axis 0 of data and result: the first entry comes from the data."""
    data, target = node.inputs[0], node.inputs[1]
    assert data is not None and target is not None
    before, after = shapes[str(data.name)], shapes[str(node.outputs[0].name)]
    same_rows = before[0] == after[0]
    first = 1 if node.op_type == "Expand" else 0 if same_rows else -1
    name = f"{node.outputs[0].name}_target"
    entries = constant_of(target)
    if entries is not None:
        if len(entries) != len(after) or (not same_rows and -1 in entries[1:]):
            lines.declined(node, f"its target {entries.tolist()} leaves another length open already")
            return
        new = constant(graph, name, np.concatenate([np.asarray([first], entries.dtype), entries[1:]]))
    elif all_else_fixed:
        new = constant(graph, name, np.asarray([first, *after[1:]], np.int64))
    elif not same_rows and _infers_another(target):
        lines.declined(node, f"its target {target.name!r} is computed and leaves another length open already")
        return
    else:
        new = _with_first_entry(graph, node, target, name, first)
    _set_target(node, new)
    if entries is None or entries[0] != first:
        lines.changed(node, f"the first entry of its target is {first} now: the number of rows follows from the data")


def _set_target(node: ir.Node, target: ir.Value) -> None:
    node.attributes.pop("allowzero", None)
    node.replace_input_with(1, target)


def _with_first_entry(graph: ir.Graph, node: ir.Node, target: ir.Value, name: str, first: int) -> ir.Value:
    """The computed target with its first entry replaced."""
    one = constant(graph, f"{name}_one", np.asarray([1], np.int64))
    end = constant(graph, f"{name}_end", np.asarray([np.iinfo(np.int64).max], np.int64))
    rest = ir.node("Slice", [target, one, end], name=f"{name}_rest")
    entry = constant(graph, f"{name}_first", np.asarray([first], np.int64))
    whole = ir.node("Concat", [entry, rest.outputs[0]], {"axis": 0}, name=name)
    graph.insert_before(node, [rest, whole])
    return whole.outputs[0]


def _infers_another(target: ir.Value) -> bool:
    """Whether an entry after the first is -1, in a target that is put together when the model runs."""
    pieces = target.producer()
    if pieces is None or pieces.op_type != "Concat":
        return False
    numbers = [constant_of(value) for value in pieces.inputs[1:]]
    return any(array is not None and (array == -1).any() for array in numbers)
