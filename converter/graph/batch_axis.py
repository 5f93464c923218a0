"""Proves that a model treats axis 0 as a batch, by following the batch axis from the inputs to the outputs.

A spiking model keeps time and batch merged in one axis, so a node may neither mix samples nor move the batch to another axis
where a neuron stands. For each value the proof knows the axis that holds the samples, or that the value is the same for all
of them. An operator without a rule in `batch_rules` leaves the axis open; then only the experiment of
`converter.normalise.proof` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.batch_rules import OPEN, RULES, Axis, MixesSamplesError, UnclearError, View, repeats
from converter.graph.build import captured, name_of
from converter.graph.op_facts import facts
from converter.graph.shapes import Shapes

NO_BATCH = ", so axis 0 is not a batch of independent samples; export the model with the batch as axis 0"
"""What follows where a node mixes samples, if those of axis 0 are samples."""


@dataclass(frozen=True)
class BatchAxes:
    """Where the samples lie.

    Attributes:
        axis: of each value, by name.
        same: values with a row for each sample, all the same: class tokens, zeros, codes of positions.
        unproven: names of nodes whose type has no rule.
    """

    axis: Mapping[str, Axis]
    same: frozenset[str] = frozenset()
    unproven: tuple[str, ...] = ()

    def place(self, value: ir.Value) -> int:
        """The axis of the value that holds the samples; 0 where that is not known."""
        return place_in(self.axis, value)

    def changes(self, value: ir.Value) -> bool:
        """Whether the value depends on the samples."""
        return self.axis.get(str(value.name)) is not None and value.name not in self.same

    def with_values(self, axis: Mapping[str, Axis]) -> BatchAxes:
        """The same with further values."""
        return replace(self, axis={**self.axis, **axis})


def place_in(axes: Mapping[str, Axis], value: ir.Value) -> int:
    """The axis of the value that holds the samples; 0 where that is not known."""
    axis = axes.get(str(value.name))
    return axis if isinstance(axis, int) else 0


class BatchWalk:
    """Follows the samples node by node, in the order of the graph.

    Args:
        inputs: names of the values that hold the samples in axis 0.
        batch: how many samples there are in the shapes that `follow` is given. A prime that no other axis is a multiple of
            makes Reshape unambiguous.

    Attributes:
        axis, same, unproven: as in `BatchAxes`, of the nodes up to now. A caller that knows better may change them.
    """

    def __init__(self, inputs: Iterable[str], batch: int) -> None:
        self.axis: dict[str, Axis] = dict.fromkeys(inputs, 0)
        self.same: set[str] = set()
        self.unproven: list[str] = []
        self._batch = batch

    def follow(self, node: ir.Node, shapes: Shapes) -> None:
        """Finds the axes of a node's outputs from those of its inputs, in a run where values have these shapes.

        Raises:
            RefusedError: the node mixes samples, or where it puts them cannot be told.
        """
        view = View(node, self.axis, shapes, self._batch)
        # a shape says how many samples there are, and nothing about any of them
        inputs = [] if facts(node).reads_shape else [v for v in (*node.inputs, *captured(node)) if v is not None]
        rule = None if node.domain else RULES.get(node.op_type)
        result: Axis | tuple[Axis, ...]
        if all(self.axis.get(str(value.name)) is None for value in inputs):
            result = repeats(view)
        elif rule is None:
            self.unproven.append(name_of(node))
            result = OPEN
        elif OPEN in view.axes:
            result = OPEN
        else:
            try:
                result = rule(view)
            except MixesSamplesError as error:
                raise RefusedError(f"{node.op_type} {error}{NO_BATCH}", node=name_of(node)) from None
            except UnclearError as error:
                raise RefusedError(f"{node.op_type} {error}", node=name_of(node)) from None
        axes = result if isinstance(result, tuple) else (result,) * len(node.outputs)
        same = all(self.axis.get(str(v.name)) is None or v.name in self.same for v in inputs)
        for output, axis in zip(node.outputs, axes, strict=False):
            self.axis[str(output.name)] = axis
            if axis is not None and same:
                self.same.add(str(output.name))

    def axes(self) -> BatchAxes:
        """What was found up to now."""
        return BatchAxes(dict(self.axis), frozenset(self.same), tuple(self.unproven))


def trace_batch_axis(model: ir.Model, shapes: Shapes, batch: int) -> BatchAxes:
    """Follows the batch axis through the main graph.

    Args:
        model: the model, its inputs' first axis being the batch.
        shapes: every value's shape in a run with `batch` samples.
        batch: that number, as `BatchWalk` wants it.

    Raises:
        RefusedError: a node mixes samples, or an output does not hold them in axis 0.
    """
    walk = BatchWalk([str(value.name) for value in model.graph.inputs], batch)
    for node in model.graph:
        walk.follow(node, shapes)
    for value in model.graph.outputs:
        axis = walk.axis.get(str(value.name))
        if axis not in (0, OPEN):
            where = "is the same for every sample" if axis is None else f"holds the samples in axis {axis}"
            raise RefusedError(f"output {value.name!r} {where}; axis 0 must hold them")
    return walk.axes()
