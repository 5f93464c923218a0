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
from converter.graph.shapes import Shapes


class LocalShapesPass(ir.passes.InPlacePass):
    """Rewrites the targets in the main graph.

    Args:
        axes: where the samples of each value lie.
        shapes: every value's shape for some number of samples.
    """

    def __init__(self, axes: BatchAxes, shapes: Shapes) -> None:
        super().__init__()
        self._axes, self._shapes = axes, shapes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Applies the rewrite."""
        fixed = all(isinstance(length, int) for value in model.graph.inputs for length in list(value.shape or [])[1:])
        modified = False
        for node in list(model.graph):
            if node.op_type in ("Reshape", "Expand") and not node.domain and self._keeps_batch(node):
                modified |= self._rewrite(model.graph, node, all_else_fixed=fixed)
            elif node.op_type == "Reshape" and not node.domain and fixed:
                modified |= self._infer_samples(model.graph, node)
        return ir.passes.PassResult(model, modified)

    def _keeps_batch(self, node: ir.Node) -> bool:
        data, result = node.inputs[0], node.outputs[0]
        return (
            data is not None and self._axes.axis.get(str(data.name)) == 0 and self._axes.axis.get(str(result.name)) == 0
        )

    def _infer_samples(self, graph: ir.Graph, node: ir.Node) -> bool:
        """Samples in another axis than the first: their entry becomes -1, and all others are numbers."""
        place = self._axes.axis.get(str(node.outputs[0].name))
        if not isinstance(place, int):
            return False
        entries = list(self._shapes[str(node.outputs[0].name)])
        entries[place] = -1
        node.attributes.pop("allowzero", None)
        node.replace_input_with(1, constant(graph, f"{node.outputs[0].name}_target", np.asarray(entries, np.int64)))
        return True

    def _rewrite(self, graph: ir.Graph, node: ir.Node, *, all_else_fixed: bool) -> bool:
        data, target = node.inputs[0], node.inputs[1]
        assert data is not None and target is not None
        before, after = self._shapes[str(data.name)], self._shapes[str(node.outputs[0].name)]
        same_rows = before[0] == after[0]
        name = f"{node.outputs[0].name}_target"
        if target.const_value is not None:
            entries = target.const_value.numpy().copy()
            if len(entries) != len(after) or (not same_rows and -1 in entries[1:]):
                return False
            entries[0] = self._first_entry(node, same_rows=same_rows)
            new = constant(graph, name, entries)
        elif all_else_fixed:
            new = constant(
                graph, name, np.asarray([self._first_entry(node, same_rows=same_rows), *after[1:]], np.int64)
            )
        elif not same_rows and _infers_another(target):
            return False
        else:
            new = self._with_first_entry(graph, node, target, name, self._first_entry(node, same_rows=same_rows))
        node.attributes.pop("allowzero", None)
        node.replace_input_with(1, new)
        return True

    def _first_entry(self, node: ir.Node, *, same_rows: bool) -> int:
        if node.op_type == "Expand":
            return 1
        return 0 if same_rows else -1

    def _with_first_entry(self, graph: ir.Graph, node: ir.Node, target: ir.Value, name: str, first: int) -> ir.Value:
        """The computed target with its first entry replaced."""
        one = constant(graph, f"{name}_one", np.asarray([1], np.int64))
        end = constant(graph, f"{name}_end", np.asarray([np.iinfo(np.int64).max], np.int64))
        rest = ir.node("Slice", [target, one, end], name=f"{name}_rest")
        entry = constant(graph, f"{name}_first", np.asarray([first], np.int64))
        whole = ir.node("Concat", [entry, rest.outputs[0]], {"axis": 0}, name=name)
        graph.insert_before(node, [rest, whole])
        return whole.outputs[0]


def _infers_another(target: ir.Value) -> bool:
    """Whether an entry behind the first is -1, in a target that is put together when the model runs."""
    pieces = target.producer()
    if pieces is None or pieces.op_type != "Concat":
        return False
    numbers = [constant_of(value) for value in pieces.inputs[1:]]
    return any(array is not None and (array == -1).any() for array in numbers)
