"""Gives inputs an axis of samples that have none: a policy network ``[49] -> [6]`` becomes ``[1, 49] -> [1, 6]``.

It is tried only where axis 0 cannot be the samples' as the model is. If an input has a free first axis, or one of length 1,
the others are those without: they are taken as given for each sample. Else all are. The graph is followed from there; a value
either

* has an axis more than before, in front (``[49]`` -> ``[samples, 49]``), or
* had a first axis of length 1, which holds the samples from now on.

1. Operators that broadcast, and products with a constant matrix, need nothing, or lengths of 1 in between. ``W x`` becomes
   ``x W^T``.
2. Axes of others (Concat, Softmax, Slice, Split, Gather, Reduce...) move by one.
3. Reshape, Squeeze, Unsqueeze and Flatten get a target that keeps the samples apart.

An operator that is none of these is named, and the input that it comes from. Whether the result is right is for
`converter.normalise.proof`, which runs samples together and through the model as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.batch_axis import trace_batch_axis
from converter.graph.build import captured, constant, constant_of, name_of
from converter.graph.op_facts import facts
from converter.graph.passes import Lines, PassReport
from converter.graph.shapes import Shapes, infer_shapes
from snn_ops.format import BATCH

_EXPORT = "export the model with the batch as axis 0 of every input and output"


def add_batch(model: ir.Model) -> tuple[PassReport, frozenset[str]]:
    """Rewrites the inputs without an axis of samples, and what depends on them.

    Args:
        model: with constants lifted to initialisers.

    Returns:
        The report, and the names of the inputs and outputs that have an axis more now.

    Raises:
        RefusedError: an input has no axis of samples, and none can be added.
    """
    lines = Lines("add batch")
    if _fits(model):
        return lines.report(), frozenset()
    walk = _Walk(model, _without_samples(model))
    for node in list(model.graph):
        walk.visit(node)
    return walk.finish(lines)


def _first(value: ir.Value) -> int | None:
    """The length of the first axis, 0 of a scalar, None where it is free."""
    if value.shape is None:
        return None
    if len(value.shape) == 0:
        return 0
    return length if isinstance(length := value.shape[0], int) and length > 0 else None


def _fits(model: ir.Model) -> bool:
    """Whether axis 0 can be that of the samples, as far as shapes and products of a single vector tell."""
    inputs, outputs = list(model.graph.inputs), list(model.graph.outputs)
    lengths = {_first(value) for value in inputs}
    fixed = {length for value in (*inputs, *outputs) if (length := _first(value)) is not None}
    if 0 in fixed or len(fixed) > 1 or (None in lengths and lengths - {None, 1}):
        return False
    size = next(iter(fixed), 1)
    if size == 1 or any(value.shape is None or len(value.shape) != 1 for value in (*inputs, *outputs)):
        return True
    try:
        trace_batch_axis(model, infer_shapes(model, {str(value.name): (size,) for value in inputs}), size)
    except RefusedError:
        return False
    return True


def _without_samples(model: ir.Model) -> list[ir.Value]:
    """Inputs that have no axis of samples: the others have a free first axis, or one of length 1."""
    return [value for value in model.graph.inputs if _first(value) not in (None, 1)]


class _Walk:
    """Node by node, in the order of the graph.

    Args:
        model: the model.
        bare: its inputs that have no axis of samples.
    """

    def __init__(self, model: ir.Model, bare: list[ir.Value]) -> None:
        self._graph, self._bare = model.graph, bare
        self._called = {value: f"input {value.name!r} {_lengths(value)}" for value in model.graph.inputs}
        for value in bare:
            if not all(isinstance(length, int) and length > 0 for length in value.shape or []):
                raise self._refused(value, "its lengths are free")
        self._shapes: Shapes = infer_shapes(model, {str(v.name): _of_one(v) for v in self._graph.inputs})
        self._more = set(bare)
        """Values with an axis more."""
        self._source = {value: value for value in self._graph.inputs}
        """The input that a value comes from; of several, one with an axis more, if there is one."""
        self._own = {value for value in self._graph.inputs if value not in self._more}
        """Values that depend on samples in an axis of their own."""
        for value in bare:
            value.shape = ir.Shape([1 if self._is_fixed() else BATCH, *(value.shape or [])])

    def visit(self, node: ir.Node) -> None:
        """Rewrites the node, and says where the samples of its outputs are."""
        depending = [
            v for v in (*node.inputs, *captured(node)) if v is not None and (v in self._more or v in self._own)
        ]
        if not depending or facts(node).reads_shape:
            self._check_shape_is_not_read(node)
            return
        more = [value for value in depending if value in self._more]
        source = self._source[(more or depending)[0]]
        self._source.update(dict.fromkeys(node.outputs, source))
        if not more:
            self._of_own(node)
            return
        rule = None if node.domain else _RULES.get(node.op_type)
        if rule is None and facts(node).elementwise:
            rule = _Walk._elementwise
        if rule is None or any(value in self._more for value in captured(node)):
            raise self._refused(source, f"node {name_of(node)!r}, {node.op_type}, cannot take another axis")
        reason = rule(self, node)
        if reason:
            raise self._refused(source, f"node {name_of(node)!r}, {node.op_type}, {reason}")
        self._more.update(value for value in node.outputs if value not in self._own)

    def finish(self, lines: Lines) -> tuple[PassReport, frozenset[str]]:
        """Declares the outputs; what was done, and the names of inputs and outputs with an axis more."""
        for value in self._graph.outputs:
            if value in self._more:
                value.shape = ir.Shape([1 if self._is_fixed() else BATCH, *self._shape(value)])
            elif _first(value) not in (None, 1):
                raise RefusedError(
                    f"output {value.name!r} {_lengths(value)} does not hold the samples in axis 0; {_EXPORT}"
                )
        for role, values in (("input", self._graph.inputs), ("output", self._graph.outputs)):
            for value in values:
                if value in self._more:
                    lines.changed(
                        f"{role} {value.name!r}", f"{list(self._shape(value))} for each sample: an axis is added"
                    )
        names = {str(value.name) for value in (*self._graph.inputs, *self._graph.outputs) if value in self._more}
        return lines.report(), frozenset(names)

    def _refused(self, value: ir.Value, why: str) -> RefusedError:
        return RefusedError(f"{self._called[value]} has no axis of samples, and none can be added: {why}; {_EXPORT}")

    def _is_fixed(self) -> bool:
        """Whether no input has a free axis of samples."""
        return all(_first(value) is not None for value in self._graph.inputs if value not in self._bare)

    def _shape(self, value: ir.Value | None) -> tuple[int, ...]:
        """Of a sample's value, as it was."""
        return self._shapes.get(str(value.name), ()) if value is not None else ()

    def _check_shape_is_not_read(self, node: ir.Node) -> None:
        read = next((value for value in node.inputs if value is not None and value in self._more), None)
        if read is not None:
            raise self._refused(
                self._source[read], f"node {name_of(node)!r}, {node.op_type}, reads a shape that would change"
            )

    def _of_own(self, node: ir.Node) -> None:
        """A node that reads no value with an axis more; one that drops a first axis of length 1 leaves the samples there."""
        self._own.update(node.outputs)
        data, result = node.inputs[0], node.outputs[0]
        if data not in self._own:
            return
        before, after = self._shape(data), self._shape(result)
        drops = node.op_type == "Squeeze" or (node.op_type in ("Gather", "Reshape") and len(after) == 1)
        if drops and before[:1] == (1,) and prod(before) == prod(after) and before[1:] == after:
            self._reshape(node)
            self._own.discard(result)
            self._more.add(result)

    def _reshape(self, node: ir.Node) -> str:
        """Any operator that only gives another shape."""
        data, result = node.inputs[0], node.outputs[0]
        after = self._shape(result)
        samples_first = data in self._own or (after[:1] == (1,) and len(after) > 1)
        target = [-1, *(after[1:] if samples_first and data in self._more else after)]
        node.op_type = "Reshape"
        node.attributes.clear()
        node.resize_inputs(2)
        node.replace_input_with(1, self._constant(node, "shape", target))
        if samples_first:
            self._own.add(result)
        return ""

    def _constant(self, node: ir.Node, what: str, numbers: list[int]) -> ir.Value:
        return constant(self._graph, f"{name_of(node)}_{what}", np.asarray(numbers, np.int64))

    def _aligned(self, node: ir.Node, index: int, rank: int) -> None:
        """Gives an input of the node lengths of 1 behind its samples, so that it has this rank."""
        value, shape = node.inputs[index], self._shape(node.inputs[index])
        target = [-1, *[1] * (rank - 1 - len(shape)), *shape]
        if len(target) == len(shape) + 1:
            return
        joined = ir.node(
            "Reshape", [value, self._constant(node, f"shape_{index}", target)], name=f"{name_of(node)}_{index}_aligned"
        )
        self._graph.insert_before(node, joined)
        node.replace_input_with(index, joined.outputs[0])

    def _elementwise(self, node: ir.Node) -> str:
        rank = len(self._shape(node.outputs[0]))
        with_own = any(value in self._own for value in node.inputs)
        if with_own and self._shape(node.outputs[0])[:1] != (1,):
            return "joins it with samples that do not lie in axis 0"
        for index, value in enumerate(node.inputs):
            if value in self._more:
                if with_own and len(self._shape(value)) >= rank:
                    return "joins it with samples of fewer axes"
                self._aligned(node, index, rank if with_own else rank + 1)
            elif value in self._own and len(self._shape(value)) != rank:
                return "joins it with samples of fewer axes"
        if with_own:
            self._own.update(node.outputs)
        return ""

    def _matmul(self, node: ir.Node) -> str:
        left, right = node.inputs
        if left is None or right is None:
            return "lacks an input"
        a, b = len(self._shape(left)), len(self._shape(right))
        if left in self._more and right not in self._more and right not in self._own:
            return "" if b <= 2 and a >= 1 else "multiplies it with more than a matrix"
        if right in self._more and left not in self._more and left not in self._own:
            if b == 1 and a == 2:  # W x
                weights = constant_of(left)
                if weights is None:
                    return "multiplies it with a matrix that is computed"
                turned = constant(self._graph, f"{name_of(node)}_transposed", np.ascontiguousarray(weights.T))
                node.replace_input_with(0, right)
                node.replace_input_with(1, turned)
                return ""
            return "" if b >= 2 and a == 2 else "multiplies it with more than a matrix"
        if left in self._more and right in self._more and a == b >= 2:
            return ""
        return "multiplies values of different axes"

    def _along_axis(self, node: ir.Node) -> str:
        """One axis, an attribute."""
        first = -1 if node.op_type in ("Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization") else 0
        axis = node.attributes.get_int("axis", first)
        data = node.inputs[0]
        if node.op_type == "Gather" and axis == 0 and data not in self._more and data not in self._own:
            return ""  # a table that the samples' numbers point into
        for index, value in enumerate(node.inputs):
            if index == 0 or node.op_type == "Concat":
                if value not in self._more:
                    return "joins it with what is not given for each sample"
            elif value in self._more or value in self._own:
                return "takes numbers of the samples as indices"
        node.attributes["axis"] = ir.AttrInt64("axis", axis + 1 if axis >= 0 else axis)
        return ""

    def _along_axes(self, node: ir.Node) -> str:
        """Several axes, a constant input."""
        place = 3 if node.op_type == "Slice" else 1
        given = node.inputs[place] if len(node.inputs) > place else None
        rank = len(self._shape(node.inputs[0]))
        if any(value in self._more or value in self._own for value in node.inputs[1:]):
            return "takes numbers of the samples as indices"
        if given is None:
            if node.op_type != "Slice" and node.attributes.get_int("noop_with_empty_axes", 0) != 0:
                return ""
            axes = list(range(rank if node.op_type != "Slice" else prod(self._shape(node.inputs[1]))))
        else:
            numbers = constant_of(given)
            if numbers is None:
                return "has axes that are computed"
            axes = [int(axis) for axis in numbers]
        moved = self._constant(node, "axes", [axis + 1 if axis >= 0 else axis for axis in axes])
        inputs = [*node.inputs, *[None] * (place - len(node.inputs) + 1)]
        if len(inputs) > len(node.inputs):
            node.resize_inputs(len(inputs))
        node.replace_input_with(place, moved)
        return ""

    def _transpose(self, node: ir.Node) -> str:
        rank = len(self._shape(node.inputs[0]))
        order = list(node.attributes.get_ints("perm", tuple(reversed(range(rank)))))
        node.attributes["perm"] = ir.AttrInt64s("perm", [0, *(axis + 1 for axis in order)])
        return ""


_RULES: dict[str, Callable[[_Walk, ir.Node], str]] = {
    "MatMul": _Walk._matmul,
    "Transpose": _Walk._transpose,
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze", "Flatten"), _Walk._reshape),
    **dict.fromkeys(
        (
            "ArgMax",
            "ArgMin",
            "Concat",
            "Gather",
            "LayerNormalization",
            "LogSoftmax",
            "RMSNormalization",
            "Softmax",
            "Split",
        ),
        _Walk._along_axis,
    ),
    **dict.fromkeys(
        (
            "ReduceL1",
            "ReduceL2",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
            "ReduceSum",
            "ReduceSumSquare",
            "Slice",
        ),
        _Walk._along_axes,
    ),
}
"""What is done with a node that reads a value with an axis more; why nothing can be, or ""."""


def _of_one(value: ir.Value) -> tuple[int, ...]:
    return tuple(length if isinstance(length, int) and length > 0 else 1 for length in value.shape or [])


def _lengths(value: ir.Value) -> str:
    return f"[{', '.join(str(length) for length in value.shape or [])}]"
