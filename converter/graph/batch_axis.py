"""Proves that a model treats axis 0 as a batch, by following the batch axis from the inputs to the outputs.

A spiking model keeps time and batch merged in one axis, so a node may neither mix samples nor move the batch to another axis
where a neuron stands. For each value the pass knows the axis that holds the samples, or that the value is the same for all
of them. An operator without a rule in `batch_rules` leaves the axis open; then only the experiment of
`converter.normalise.proof` tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.batch_rules import _RULES, OPEN, Axis, _MixesSamplesError, _repeats, _View
from converter.graph.build import captured
from converter.graph.op_facts import facts
from converter.graph.shapes import Shapes


@dataclass
class BatchAxes:
    """What the pass found."""

    axis: dict[str, Axis] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    """Values with a row for each sample, all the same: class tokens, zeros, codes of positions."""
    unproven: list[str] = field(default_factory=list)
    """Names of nodes whose type has no rule."""

    def place(self, value: ir.Value) -> int:
        """The axis of the value that holds the samples; 0 where that is not known."""
        axis = self.axis.get(str(value.name))
        return axis if isinstance(axis, int) else 0

    def changes(self, value: ir.Value) -> bool:
        """Whether the value depends on the samples."""
        return self.axis.get(str(value.name)) is not None and value.name not in self.same

    def follow(self, node: ir.Node, shapes: Shapes, batch: int) -> None:
        """Finds the axes of a node's outputs from those of its inputs; arguments as in `trace_batch_axis`.

        Raises:
            RefusedError: the node mixes samples.
        """
        view = _View(node, self.axis, shapes, batch)
        rule = None if node.domain else _RULES.get(node.op_type)
        inputs = [] if facts(node).reads_shape else [v for v in (*node.inputs, *captured(node)) if v is not None]
        if all(self.axis.get(str(value.name)) is None for value in inputs):
            # a shape says how many samples there are, and nothing about any of them
            result: Axis | tuple[Axis, ...] = _repeats(view)
        elif rule is None:
            self.unproven.append(str(node.name or node.outputs[0].name))
            result = OPEN
        elif OPEN in view.axes:
            result = OPEN
        else:
            try:
                result = rule(view)
            except _MixesSamplesError as error:
                raise RefusedError(
                    f"{node.op_type} {error}, so axis 0 is not a batch of independent samples; "
                    "export the model with the batch as axis 0",
                    node=node.name or node.outputs[0].name,
                ) from None
        axes = result if isinstance(result, tuple) else (result,) * len(node.outputs)
        for output, axis in zip(node.outputs, axes, strict=False):
            self.axis[str(output.name)] = axis
            if axis is not None and not any(self.changes(value) for value in inputs):
                self.same.add(str(output.name))


def trace_batch_axis(model: ir.Model, shapes: Shapes, batch: int) -> BatchAxes:
    """Follows the batch axis through the main graph.

    Args:
        model: the model, its inputs' first axis being the batch.
        shapes: every value's shape in a run with `batch` samples.
        batch: that number; a prime that no other axis is a multiple of makes Reshape unambiguous.

    Raises:
        RefusedError: a node mixes samples, or an output does not hold them in axis 0.
    """
    found = BatchAxes()
    for value in model.graph.inputs:
        found.axis[str(value.name)] = 0
    for node in model.graph:
        found.follow(node, shapes, batch)
    for value in model.graph.outputs:
        axis = found.axis.get(str(value.name))
        if axis not in (0, OPEN):
            where = "is the same for every sample" if axis is None else f"holds the samples in axis {axis}"
            raise RefusedError(f"output {value.name!r} {where}; axis 0 must hold them")
    return found
