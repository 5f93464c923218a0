"""RunningMean, TimeMean and the like behind values of a graph, each once; for every pass that puts them there."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes
from converter.graph.build import constant, operator_node


class TimeNodes:
    """What was inserted.

    Args:
        n_steps: the model's `n_steps` input.
        axes: where the samples of each value lie; new values are added.
    """

    def __init__(self, n_steps: ir.Value, axes: BatchAxes) -> None:
        self._n_steps, self._axes = n_steps, axes
        self._made: dict[tuple[str, ir.Value], ir.Value] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._made)

    def behind(self, graph: ir.Graph, op_type: str, value: ir.Value) -> ir.Value:
        """The value through an operator without parameters.

        Time and samples share an axis. Where that is not axis 0, it is moved to the front for the operator, and back.
        """
        key = op_type, value
        if key not in self._made:
            nodes = self._nodes(graph, op_type, value, self._axes.place(value))
            producer = value.producer()
            if producer is None:
                graph.insert_before(graph[0], nodes)
            else:
                graph.insert_after(producer, nodes)
            self._made[key] = result = nodes[-1].outputs[0]
            self._axes.axis[str(result.name)] = self._axes.axis.get(str(value.name))
            result.shape = ir.Shape([None] * len(value.shape)) if value.shape is not None else None
        return self._made[key]

    def _nodes(self, graph: ir.Graph, op_type: str, value: ir.Value, batch_axis: int) -> list[ir.Node]:
        name = str(value.name)
        rank = len(value.shape) if value.shape is not None else 0
        if op_type == "TimeRepeat" and value.dtype is not None and not value.dtype.is_floating_point():
            return self._tile(graph, value, batch_axis, rank)
        if batch_axis == 0 or not rank:
            node = operator_node(graph, op_type, name, value, self._n_steps)
            node.name = node.outputs[0].name
            return [node]
        there = [batch_axis, *(axis for axis in range(rank) if axis != batch_axis)]
        back = [there.index(axis) for axis in range(rank)]
        front = _transpose(value, there, f"{name}_batch_first_for_{op_type}")
        node = operator_node(graph, op_type, name, front.outputs[0], self._n_steps)
        node.name = node.outputs[0].name
        return [front, node, _transpose(node.outputs[0], back, f"{node.name}_batch_back")]

    def _tile(self, graph: ir.Graph, value: ir.Value, batch_axis: int, rank: int) -> list[ir.Node]:
        """TimeRepeat of what is no current: a mask, class numbers."""
        name = f"{value.name}_TimeRepeat"
        one, before, behind = (
            constant(graph, f"{name}_{what}", np.ones(count, np.int64))
            for what, count in (("one", 1), ("before", batch_axis), ("behind", rank - batch_axis - 1))
        )
        steps = ir.node("Reshape", [self._n_steps, one], name=f"{name}_steps")
        repeats = ir.node("Concat", [before, steps.outputs[0], behind], {"axis": 0}, name=f"{name}_repeats")
        result = ir.Value(name=name, type=value.type)
        return [steps, repeats, ir.node("Tile", [value, repeats.outputs[0]], outputs=[result], name=name)]


def _transpose(value: ir.Value, permutation: list[int], name: str) -> ir.Node:
    result = ir.Value(name=name, type=value.type)
    return ir.node("Transpose", [value], {"perm": permutation}, outputs=[result], name=name)
