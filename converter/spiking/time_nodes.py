"""RunningMean, TimeMean and the like after values of a graph, each once; for every pass that puts them there."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes, place_in
from converter.graph.build import constant, free_name, operator_node, to_front, transposed


class TimeNodes:
    """Inserts them into a graph.

    Args:
        n_steps: the model's `n_steps` input.
        axes: where the samples of each value lie.
    """

    def __init__(self, n_steps: ir.Value, axes: BatchAxes) -> None:
        self._n_steps, self._before = n_steps, axes
        self._axis = dict(axes.axis)
        self._results: dict[tuple[str, ir.Value], ir.Value] = {}

    @property
    def axes(self) -> BatchAxes:
        """Where the samples lie, of new values too."""
        return self._before.with_values(self._axis)

    def after(self, graph: ir.Graph, op_type: str, value: ir.Value) -> ir.Value:
        """What an operator without parameters makes of the value.

        Time and samples share an axis. Where that is not axis 0, it is moved to the front for the operator, and back.
        """
        key = op_type, value
        if key not in self._results:
            nodes = self._nodes(graph, op_type, value, place_in(self._axis, value))
            producer = value.producer()
            if producer is None:
                graph.insert_before(graph[0], nodes)
            else:
                graph.insert_after(producer, nodes)
            self._results[key] = result = nodes[-1].outputs[0]
            self._axis[str(result.name)] = self._axis.get(str(value.name))
            result.shape = ir.Shape([None] * len(value.shape)) if value.shape is not None else None
        return self._results[key]

    def _nodes(self, graph: ir.Graph, op_type: str, value: ir.Value, batch_axis: int) -> list[ir.Node]:
        rank = len(value.shape) if value.shape is not None else 0
        if value.dtype is not None and not value.dtype.is_floating_point():
            make = self._tile if op_type == "TimeRepeat" else self._last
            return make(graph, value, batch_axis, rank)
        return self._in_time(graph, op_type, value, batch_axis, rank)

    def _in_time(self, graph: ir.Graph, op_type: str, value: ir.Value, batch_axis: int, rank: int) -> list[ir.Node]:
        name = str(value.name)
        if batch_axis == 0 or not rank:
            node = operator_node(graph, op_type, name, value, self._n_steps)
            node.name = node.outputs[0].name
            return [node]
        there, back = to_front(batch_axis, rank)
        first = transposed(graph, value, there, f"{name}_batch_first_for_{op_type}")
        node = operator_node(graph, op_type, name, first.outputs[0], self._n_steps)
        node.name = node.outputs[0].name
        return [first, node, transposed(graph, node.outputs[0], back, f"{node.name}_batch_back")]

    def _tile(self, graph: ir.Graph, value: ir.Value, batch_axis: int, rank: int) -> list[ir.Node]:
        """TimeRepeat of what is no current: a mask, class numbers."""
        name = free_name(graph, f"{value.name}_TimeRepeat")
        one, before, after = (
            constant(graph, f"{name}_{what}", np.ones(count, np.int64))
            for what, count in (("one", 1), ("before", batch_axis), ("behind", rank - batch_axis - 1))
        )
        steps = ir.node("Reshape", [self._n_steps, one], name=f"{name}_steps")
        repeats = ir.node("Concat", [before, steps.outputs[0], after], {"axis": 0}, name=f"{name}_repeats")
        result = ir.Value(name=name, type=value.type)
        return [steps, repeats, ir.node("Tile", [value, repeats.outputs[0]], outputs=[result], name=name)]

    def _last(self, graph: ir.Graph, value: ir.Value, batch_axis: int, rank: int) -> list[ir.Node]:
        """Out of time, of what has no mean: the value at the last step. Truth values and whole numbers pass as floats."""
        assert value.dtype is not None
        name = free_name(graph, f"{value.name}_last")
        number = ir.Value(
            name=free_name(graph, f"{name}_number"), type=ir.TensorType(ir.DataType.DOUBLE), shape=value.shape
        )
        to = ir.node("Cast", [value], {"to": int(ir.DataType.DOUBLE)}, outputs=[number], name=number.name)
        nodes = self._in_time(graph, "TimeLast", number, batch_axis, rank)
        result = ir.Value(name=name, type=value.type)
        back = ir.node("Cast", [nodes[-1].outputs[0]], {"to": int(value.dtype)}, outputs=[result], name=name)
        return [to, *nodes, back]
