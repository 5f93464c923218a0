"""Picks by index within each sample what an exporter picks by index among all samples:

    Gather<axis = 0>(x [B n, ...], i + n b)     torch's `as_strided`, as after AdaptiveAvgPool2d of what was permuted
    GatherND(x [B, n, ...], (b, i))             masks of attention in Transformers
become
    Gather<axis = 1>(Reshape(x) [B, n, ...], i)
or, where i depends on the samples, as that of the last token of each text,
    GatherND<batch_dims = 1>(Reshape(x) [B, n, ...], i)
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
import onnx_ir as ir

from converter.graph.build import constant, constant_of, depending_on_inputs
from converter.graph.op_facts import facts
from converter.graph.passes import Lines, PassReport
from converter.graph.run import Probe, numbers_of, zeros
from converter.graph.shapes import MANY_SAMPLES, input_shapes

GATHERS = frozenset({"Gather", "GatherND"})


def gather_by_sample(model: ir.Model) -> PassReport:
    """Rewrites what a model with a free batch picks by indices that its size goes into.

    Raises:
        RefusedError: the model cannot run.
    """
    lines = Lines("gather by sample")
    of_inputs = depending_on_inputs(model.graph)
    gathers = [node for node in model.graph if node.op_type in GATHERS and not node.domain]
    computed = [node for node in gathers if node.inputs[0] in of_inputs and constant_of(node.inputs[1]) is None]
    lengths = [length for value in model.graph.inputs for length in list(value.shape or [None])[1:]]
    fixed = all(isinstance(length, int) for length in lengths)
    feed = zeros(model, input_shapes(model, MANY_SAMPLES)) if computed and fixed else {}
    for node in computed:
        data = node.inputs[0]
        assert data is not None
        if not fixed:
            lines.declined(node, "lengths of the model's input are free, and its indices may depend on them")
            continue
        shape = Probe(model, [data]).run(feed)[str(data.name)].shape
        declined = pick_by_sample(model, node, shape, MANY_SAMPLES, feed)
        if declined:
            lines.declined(node, declined)
        else:
            lines.changed(node, "picks within each sample")
    return lines.report()


def pick_by_sample(
    model: ir.Model, node: ir.Node, shape: tuple[int, ...], samples: int, feed: Mapping[str, np.ndarray]
) -> str:
    """Rewrites a Gather or GatherND, if it picks from every sample what belongs to it.

    Args:
        model: holds the node; no input but the batch has a free length.
        node: its data has the samples, or a block of rows for each, in axis 0.
        shape: of the data for so many samples.
        samples: their number.
        feed: so many samples of zeros.

    Returns:
        Why the node is left as it is; "": it was rewritten.
    """
    graph, chosen = model.graph, node.inputs[1]
    assert chosen is not None
    if any(attribute.value for attribute in node.attributes.values()):  # axis, batch_dims
        return "it picks along another axis than the first"
    indices = numbers_of(model, chosen, feed)
    picked, axes = _rows(node, shape, indices)
    numbers, rest = divmod(int(np.prod(shape[:axes])), samples)
    if rest or not picked.size or picked.shape[:1] != (samples,):
        return "it does not pick as often as there are samples"
    of_inputs = depending_on_inputs(graph)
    varies = chosen in of_inputs
    by_sample = picked.reshape(samples, -1) - numbers * np.arange(samples)[:, None]
    first = by_sample[0]
    if by_sample.min() < 0 or by_sample.max() >= numbers:
        return "it picks from other samples too"
    if not (varies or (by_sample == first).all()):
        return "it picks something else from each sample"
    if varies and node.op_type == "GatherND":
        if shape[0] != samples:
            return "its data has several rows for each sample"
        _pick_within_samples(node, "GatherND", node.inputs[0], _places_within(model, node, chosen, feed))
        return ""
    target = constant(graph, f"{node.name}_by_sample", np.asarray([-1, numbers, *shape[axes:]], np.int64))
    apart = ir.node("Reshape", [node.inputs[0], target], name=f"{node.name}_rows")
    graph.insert_before(node, apart)
    if varies:
        row = _row_within(model, node, _term_within(model, chosen, of_inputs, numbers, feed), numbers)
        _pick_within_samples(node, "GatherND", apart.outputs[0], row)
    else:
        row = constant(graph, f"{node.name}_chosen", first.reshape(picked.shape[1:]))
        _pick_within_samples(node, "Gather", apart.outputs[0], row)
    return ""


def _pick_within_samples(node: ir.Node, op_type: str, data: ir.Value | None, indices: ir.Value) -> None:
    """Gather<axis = 1> or GatherND<batch_dims = 1>."""
    attribute = {"Gather": "axis", "GatherND": "batch_dims"}[op_type]
    node.op_type = op_type
    node.attributes.clear()
    node.attributes[attribute] = ir.AttrInt64(attribute, 1)
    node.replace_input_with(0, data)
    node.replace_input_with(1, indices)


def _term_within(
    model: ir.Model, indices: ir.Value, of_inputs: Set[ir.Value], numbers: int, feed: Mapping[str, np.ndarray]
) -> ir.Value:
    """The term i of i + n b, or the indices as they are. Who reads the shape of the sum reads that of the term."""
    node = indices.producer()
    if node is None or node.op_type != "Add":
        return indices
    for far, within in (node.inputs, node.inputs[::-1]):
        if far is None or within is None or far in of_inputs or (numbers_of(model, far, feed) % numbers).any():
            continue
        if numbers_of(model, within, feed).shape == numbers_of(model, indices, feed).shape:
            for user, index in list(indices.uses()):
                if facts(user).reads_shape:
                    user.replace_input_with(index, within)
            return within
    return indices


def _row_within(model: ir.Model, node: ir.Node, rows: ir.Value, numbers: int) -> ir.Value:
    """i, [..., 1], of i or i + n b, computed before `node`."""
    name = str(node.name)
    last = constant(model.graph, f"{name}_last", np.asarray([-1], np.int64))
    per_sample = constant(model.graph, f"{name}_per_sample", np.asarray(numbers, np.int64))
    row = ir.node("Unsqueeze", [rows, last], name=f"{name}_row")
    within = ir.node("Mod", [row.outputs[0], per_sample], name=f"{name}_within")
    model.graph.insert_before(node, [row, within])
    return within.outputs[0]


def _places_within(model: ir.Model, node: ir.Node, places: ir.Value, feed: Mapping[str, np.ndarray]) -> ir.Value:
    """(i, j) of (b, i, j), computed before `node`."""
    name, joined = str(node.name), places.producer()
    if joined is not None and joined.op_type == "Concat":
        first, *others = (value for value in joined.inputs if value is not None)
        shape = numbers_of(model, first, feed).shape
        if joined.attributes["axis"].as_int() % len(shape) == len(shape) - 1 and shape[-1] == 1:
            rest = ir.node("Concat", others, {"axis": -1}, name=f"{name}_places")
            model.graph.insert_before(node, rest)
            return rest.outputs[0]
    one, end, last = (
        constant(model.graph, f"{name}_{what}", np.asarray([number], np.int64))
        for what, number in (("one", 1), ("end", np.iinfo(np.int64).max), ("last", -1))
    )
    rest = ir.node("Slice", [places, one, end, last], name=f"{name}_places")
    model.graph.insert_before(node, rest)
    return rest.outputs[0]


def _rows(node: ir.Node, shape: tuple[int, ...], indices: np.ndarray) -> tuple[np.ndarray, int]:
    """Which rows are picked, counted over so many leading axes of the data."""
    if node.op_type == "Gather":
        return np.where(indices < 0, indices + shape[0], indices), 1
    axes = indices.shape[-1]
    lengths = np.asarray(shape[:axes])
    strides = np.asarray([np.prod(lengths[axis + 1 :]) for axis in range(axes)])
    rows: np.ndarray = (np.where(indices < 0, indices + lengths, indices) * strides).sum(axis=-1)
    return rows.astype(np.int64), axes
