"""Frees a batch size that the exporter fixed, e.g. ``[1, 3, 224, 224] -> [batch, 3, 224, 224]``.

1. The samples' axis is followed through the graph at the fixed size. A constant ``Reshape`` target gets their number from the
   data: a copy (0) where they keep their axis, else inferred (-1). Windows or heads may share the axis with them:

       [B, L, C] -> [B W, l, C]     [L, B, H d] -> [L, B H, d]     and rows of a matrix product   [L, B, E] -> [L B, E]

2. An ``Expand`` to a constant shape keeps the number of samples that its input has, and a ``Resize`` to constant sizes too.
   A ``Flatten`` of a single sample into one row gives a row for each.
3. What has the same row for each sample of the fixed batch (a class token, an initial state) keeps one, which is repeated
   where a ``Concat`` or a recurrent layer needs as many rows as samples.
4. A ``Gather`` among the numbers of all samples becomes one within each (`converter.normalise.gather_by_sample`).

What the model computes for its own batch size stays the same. For a batch of 1 step 1 must guess where an axis of length 1
went; whether the samples are independent of each other is for `converter.graph.batch_axis` to prove.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.batch_axis import BatchWalk, place_in
from converter.graph.batch_rules import OPEN, Axis
from converter.graph.build import constant, constant_of
from converter.graph.op_facts import facts
from converter.graph.passes import Lines, PassReport
from converter.graph.run import numbers_of, zeros
from converter.graph.shapes import Shapes, infer_shapes, input_shapes
from converter.normalise.gather_by_sample import pick_by_sample
from converter.normalise.shape_numbers import ShapeNumbers

_TIMES = 7
"""A target is right if it also fits this multiple of the batch."""


def free_batch(model: ir.Model, size: int) -> PassReport:
    """Takes the fixed size out of the graph.

    Args:
        model: with constants lifted to initialisers, its declared shapes opened by `open_batch`.
        size: the batch size it was exported with.

    Raises:
        RefusedError: the model cannot run.
    """
    lines = Lines("free batch")
    walk = _Walk(model, infer_shapes(model, input_shapes(model, size)), size, lines)
    for node in list(model.graph):
        walk.visit(node)
    return lines.report()


class _Walk:
    """Node by node, in the order of the graph.

    Args:
        model: as for `free_batch`.
        shapes: every value's shape when the model runs with its own batch size; grows as nodes are added.
        size: that size.
        lines: of the report.
    """

    def __init__(self, model: ir.Model, shapes: Shapes, size: int, lines: Lines) -> None:
        self._model, self._graph, self._shapes, self._size, self._lines = model, model.graph, shapes, size, lines
        self._own = {str(value.name): shapes[str(value.name)] for value in self._graph.inputs}
        self._zeros = zeros(model, self._own)
        self._walk = BatchWalk(self._own, size)
        self._spread: dict[str, tuple[int, int]] = {}
        """Values whose samples are spread over an axis, [L B, E]: the rows of a sample, L, and the axis."""
        self._then = ShapeNumbers(self._shape_then)
        inner = [length for value in self._graph.inputs for length in list(value.shape or [])[1:]]
        self._fixed = all(isinstance(length, int) for length in inner)

    def visit(self, node: ir.Node) -> None:
        """Frees the node's inputs, and finds the axes of its outputs."""
        self._then.follow(node)
        if node.op_type == "Reshape" and not node.domain:
            self._reshape(node)
            return
        if not node.domain:
            rewrites = {
                "Expand": self._expand,
                "Flatten": self._flatten,
                "Resize": self._resize,
                "Gather": self._gather,
                "GatherND": self._gather,
            }
            rewrites.get(node.op_type, self._join)(node)
        try:
            self._walk.follow(node, self._shapes)
        except RefusedError:
            self._walk.axis.update({str(value.name): OPEN for value in node.outputs})
        for value in node.outputs:
            if value.name in self._walk.same:  # a constant like any other
                self._walk.axis[str(value.name)] = None
        spread = {self._spread.get(str(value.name)) for value in node.inputs if value is not None} - {None}
        if len(spread) == 1 and (node.op_type in ("Gemm", "MatMul") or facts(node).elementwise):
            self._spread[str(node.outputs[0].name)] = next(item for item in spread if item)

    def _axis(self, value: ir.Value | None) -> Axis:
        return self._walk.axis.get(str(value.name)) if value is not None else None

    def _place(self, value: ir.Value) -> int:
        return place_in(self._walk.axis, value)

    def _shape(self, value: ir.Value | None) -> tuple[int, ...]:
        return self._shapes.get(str(value.name), ()) if value is not None else ()

    def _shape_then(self, value: ir.Value) -> list[int] | None:
        """For `_TIMES` as many samples; None if it is not known where these lie."""
        shape = list(self._shape(value))
        axis = self._spread[str(value.name)][1] if value.name in self._spread else self._axis(value)
        if isinstance(axis, int):
            shape[axis] *= _TIMES
        return shape if axis is not OPEN else None

    def _reshape(self, node: ir.Node) -> None:
        data, target, (result,) = node.inputs[0], node.inputs[1], node.outputs
        before, after, axis = self._shape(data), self._shape(result), self._axis(data)
        if data is None or target is None or not before or not after or axis is None:
            self._walk.axis[str(result.name)] = None
            return
        outer = self._spread[str(data.name)][0] if data.name in self._spread else prod(before[: self._place(data)])
        grown = self._grown(node, after)
        if 0 in after:  # there are no rows to follow
            place, spread = (0 if before[0] == after[0] else None), False
        elif grown is None:
            place, spread = _place_after(outer, self._place(data), after, self._size)
        else:
            place, spread = grown, prod(after[:grown]) != outer
        self._walk.axis[str(result.name)] = OPEN if spread or place is None else place
        if place is not None and spread:
            self._spread[str(result.name)] = outer, place
        if grown is not None:
            return
        entries = constant_of(target)
        if self._fixed and self._then.knows(target) and self._shape_then(data) is not None:
            entries = np.asarray(after)
        if entries is None:
            self._lines.declined(node, f"its target {target.name!r} is computed when the model runs, left as it is")
        elif place is None:
            self._lines.declined(node, f"where it puts the samples is not known, so its target {_text(entries)} stays")
        else:
            keeps = not spread and place == axis and before[place] == after[place]
            self._set_target(node, entries.copy(), after, place, keeps=keeps)

    def _grown(self, node: ir.Node, after: tuple[int, ...]) -> int | None:
        """The axis that a Reshape makes longer for more samples: its target follows their number already."""
        then = self._then.reshaped(node) or after
        return next((place for place, length in enumerate(then) if length == _TIMES * after[place] > 0), None)

    def _set_target(
        self, node: ir.Node, entries: np.ndarray, after: tuple[int, ...], place: int, *, keeps: bool
    ) -> None:
        if entries[place] == -1 or (keeps and entries[place] == 0):
            return
        old, open_entries = _text(entries), entries == -1
        if keeps:
            entries[place] = 0
            node.attributes.pop("allowzero", None)
        elif self._fixed or not open_entries.any():
            entries[open_entries] = np.asarray(after)[open_entries]
            entries[place] = -1
        else:
            self._lines.declined(
                node, f"its target {old} leaves another length open already, and lengths of the input are free"
            )
            return
        node.replace_input_with(1, constant(self._graph, f"{node.outputs[0].name}_shape", entries.astype(np.int64)))
        self._lines.changed(node, f"its target {old} gets the number of samples from the data: {_text(entries)}")

    def _flatten(self, node: ir.Node) -> None:
        data = node.inputs[0]
        rank = len(self._shape(data))
        in_one_row = node.attributes.get_int("axis", 1) in (0, -rank)
        if self._size == 1 and rank and in_one_row and self._axis(data) == 0:
            node.attributes["axis"] = ir.AttrInt64("axis", 1)
            self._lines.changed(
                node, "gives a row for each sample, where it gave one, which for one sample is the same"
            )

    def _expand(self, node: ir.Node) -> None:
        data, target = node.inputs[0], constant_of(node.inputs[1])
        if data is None or target is None or self._axis(data) is None:
            return
        place = self._place(data) + len(target) - len(self._shape(data))
        if place >= 0 and target[place] == self._shape(data)[self._place(data)]:
            entries = target.copy()
            entries[place] = 1
            node.replace_input_with(1, constant(self._graph, f"{node.outputs[0].name}_shape", entries))
            self._lines.changed(node, f"its target {_text(target)} keeps the number of samples: {_text(entries)}")

    def _resize(self, node: ir.Node) -> None:
        data, sizes = node.inputs[0], constant_of(node.inputs[3]) if len(node.inputs) > 3 else None
        if data is None or sizes is None or self._axis(data) is None or "axes" in node.attributes:
            return
        place = self._place(data)
        if sizes[place] == self._shape(data)[place]:
            node.replace_input_with(3, self._with_rows(node, data, sizes.astype(np.int64), place, 1))
            self._lines.changed(node, f"its sizes {_text(sizes)} get the number of samples from the data")

    def _gather(self, node: ir.Node) -> None:
        data = node.inputs[0]
        if self._axis(data) != 0:
            return
        if not self._fixed:
            self._lines.declined(node, "lengths of the input are free, and its indices may depend on them")
            return
        before = set(self._graph)
        declined = pick_by_sample(self._model, node, self._shape(data), self._size, self._zeros)
        if declined:
            self._lines.declined(node, declined)
        else:
            self._lines.changed(node, "picks within each sample")
            self._shapes.update(infer_shapes(self._model, self._own))
            for other in [other for other in self._graph if other not in before]:
                self._walk.follow(other, self._shapes)

    def _join(self, node: ir.Node) -> None:
        """Constants with rows for each sample, where they meet samples."""
        samples = next((value for value in node.inputs if self._axis(value) is not None), None)
        if samples is None:
            return
        rank = len(self._shape(node.outputs[0]))
        place = self._place(samples) + rank - len(self._shape(samples))
        along = node.attributes.get("axis", ir.AttrInt64("axis", 0))
        for index, value in enumerate(node.inputs):
            if value is None or self._axis(value) is not None:
                continue
            axis = place - rank + len(self._shape(value))
            if index in facts(node).initial_states:
                self._repeat(node, index, samples, 1)
            elif facts(node).joins and along.as_int() % rank != place:
                self._repeat(node, index, samples, axis)
            elif facts(node).elementwise or (node.op_type == "MatMul" and place < rank - 2):
                length = self._shape(value)[axis] if axis >= 0 else 1
                if length > 1 and length == self._shape(samples)[self._place(samples)]:
                    self._repeat(node, index, samples, axis)

    def _repeat(self, node: ir.Node, index: int, samples: ir.Value, axis: int) -> None:
        """Gives an input of `node` as many blocks of rows along `axis` as there are samples, if it has equal ones for each."""
        given, name, place = node.inputs[index], str(node.name), self._place(samples)
        block, rest = divmod(self._shape(given)[axis], self._size)
        if given is None or rest or (block > 1 and self._then.comes_from_shapes(given)):
            return
        value = given
        if self._size > 1:
            if not self._fixed and given.const_value is None:
                self._lines.declined(
                    node, f"its input {given.name!r} is computed, and lengths of the model's input are free"
                )
                return
            array = numbers_of(self._model, given, self._zeros)
            if not _is_repeated(array, self._size, axis):
                self._lines.declined(node, f"its input {given.name!r} has other numbers for each sample")
                return
            value = constant(self._graph, f"{name}_one_{index}", array.take(range(block), axis))
        per_sample = self._shape(samples)[place] // self._size
        ones = np.ones(len(self._shape(given)), np.int64)
        target = self._with_rows(node, samples, ones, axis, per_sample)
        # Expand leaves alone what has the right number of rows already
        repeated = ir.node("Tile" if block > 1 else "Expand", [value, target], name=f"{name}_repeated_{index}")
        self._graph.insert_before(node, repeated)
        self._shapes[str(repeated.outputs[0].name)] = self._shape(given)
        self._walk.axis[str(repeated.outputs[0].name)] = axis
        node.replace_input_with(index, repeated.outputs[0])
        self._lines.changed(
            node, f"its input {given.name!r}, the same for each sample, is repeated for as many as there are"
        )

    def _with_rows(self, node: ir.Node, samples: ir.Value, vector: np.ndarray, axis: int, per_row: int) -> ir.Value:
        """The vector with the length of the samples' axis, divided by `per_row`, as its entry `axis`."""
        name, place = f"{node.name}_{samples.name}", self._place(samples)
        rows = ir.node("Shape", [samples], {"start": place, "end": place + 1}, name=f"{name}_rows")
        divisor = constant(self._graph, f"{name}_per_row", np.asarray([per_row], np.int64))
        count = ir.node("Div", [rows.outputs[0], divisor], name=f"{name}_count")
        before = constant(self._graph, f"{name}_before", vector[:axis])
        after = constant(self._graph, f"{name}_behind", vector[axis + 1 :])
        whole = ir.node("Concat", [before, count.outputs[0], after], {"axis": 0}, name=f"{name}_lengths")
        self._graph.insert_before(node, [rows, count, whole])
        return whole.outputs[0]


def _text(numbers: np.ndarray) -> str:
    return str([int(number) for number in numbers])


def _is_repeated(array: np.ndarray, times: int, axis: int) -> bool:
    """Whether so many equal blocks follow each other along the axis."""
    first, *others = np.split(array, times, axis)
    return all(np.array_equal(first, block, equal_nan=array.dtype.kind == "f") for block in others)


def _place_after(outer: int, axis: int, after: tuple[int, ...], size: int) -> tuple[int | None, bool]:
    """Where a Reshape puts the samples, and whether they are spread over that axis, as rows of a product.

    Args:
        outer: how many numbers of the first sample come before the second's, seen in blocks: the product of the lengths before.
        axis: where the samples were.
        after: the shape that it makes.
        size: how many samples there are.
    """
    before = [prod(after[:place]) for place in range(len(after))]
    starts = [place for place, length in enumerate(after) if before[place] == outer and length % size == 0]
    alone = [place for place in starts if after[place] == size]
    if alone:
        return (axis if axis in alone else alone[0]), False
    if starts and (starts[0] == 0 or starts[0] < len(after) - 1 or size > 1):
        return starts[0], False
    spread = [
        p for p, length in enumerate(after) if outer % before[p] == 0 and before[p] * length % (outer * size) == 0
    ]
    return (spread[0], True) if spread else (None, False)
