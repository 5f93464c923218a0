"""Picks by index within each sample what an exporter picks by index among all samples:

    Gather<axis = 0>(x [B n, ...], i + n b)     torch's `as_strided`, as behind AdaptiveAvgPool2d of what was permuted
    GatherND(x [B, n, ...], (b, i))             masks of attention in Transformers
become
    Gather<axis = 1>(Reshape(x) [B, n, ...], i)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from converter.graph import constant
from converter.passes.regions import SHAPES
from converter.runtime import Probe

GATHERS = frozenset({"Gather", "GatherND"})


class GatherBySamplePass(ir.passes.InPlacePass):
    """Rewrites what a model with a free batch picks by indices that are computed from its size.

    Args:
        input_shapes: by name, for `samples` samples.
        samples: any number.
    """

    def __init__(self, input_shapes: Mapping[str, tuple[int, ...]], samples: int) -> None:
        super().__init__()
        self._input_shapes, self._samples = input_shapes, samples

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Applies the rewrite to the main graph."""
        lengths = [length for value in model.graph.inputs for length in list(value.shape or [None])[1:]]
        if not all(isinstance(length, int) for length in lengths):
            return ir.passes.PassResult(model, False)  # the indices may depend on them
        found = _candidates(model.graph)
        wanted = list(dict.fromkeys(value for node in found for value in node.inputs if value is not None))
        if not found:
            return ir.passes.PassResult(model, False)
        zeros = {
            str(v.name): np.zeros(self._input_shapes[str(v.name)], v.dtype.numpy())
            for v in model.graph.inputs
            if v.dtype
        }
        arrays = Probe(model, wanted).run(zeros)
        for node in found:
            data, indices = (arrays[str(value.name)] for value in node.inputs if value is not None)
            gather_by_sample(model.graph, node, data.shape, indices, self._samples)
        return ir.passes.PassResult(model, True)


def _candidates(graph: ir.Graph) -> list[ir.Node]:
    """Nodes that pick from what depends on inputs, by what depends on shapes only."""
    of_inputs = {value for value in graph.inputs if not value.is_initializer()}
    found = []
    for node in graph:
        if node.op_type in SHAPES or not any(value in of_inputs for value in node.inputs):
            continue
        of_inputs.update(node.outputs)
        if node.op_type in GATHERS and not node.domain:
            data, indices = node.inputs
            if data in of_inputs and indices not in of_inputs and indices is not None and indices.const_value is None:
                found.append(node)
    return found


def gather_by_sample(
    graph: ir.Graph, node: ir.Node, shape: tuple[int, ...], indices: np.ndarray, samples: int
) -> ir.Node | None:
    """Rewrites a Gather or GatherND, if it picks the same from every sample.

    Args:
        graph: holds the node.
        node: its data has the samples, or a block of rows for each, in axis 0.
        shape: of the data for so many samples.
        indices: for so many samples.
        samples: their number.

    Returns:
        The Reshape that was put before it, None if it was left as it is.
    """
    rows = _rows(node, shape, indices)
    if rows is None:
        return None
    picked, axes = rows
    numbers, rest = divmod(int(np.prod(shape[:axes])), samples)
    if rest or not picked.size or picked.shape[:1] != (samples,):
        return None
    by_sample = picked.reshape(samples, -1) - numbers * np.arange(samples)[:, None]
    first = by_sample[0]
    if (by_sample != first).any() or first.min() < 0 or first.max() >= numbers:
        return None
    target = constant(graph, f"{node.name}_by_sample", np.asarray([-1, numbers, *shape[axes:]], np.int64))
    apart = ir.node("Reshape", [node.inputs[0], target], name=f"{node.name}_rows")
    graph.insert_before(node, apart)
    node.op_type = "Gather"
    node.attributes.clear()
    node.attributes["axis"] = ir.AttrInt64("axis", 1)
    node.replace_input_with(0, apart.outputs[0])
    node.replace_input_with(1, constant(graph, f"{node.name}_chosen", first.reshape(picked.shape[1:])))
    return apart


def _rows(node: ir.Node, shape: tuple[int, ...], indices: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Which rows are picked, counted over so many leading axes of the data; None if it picks along others."""
    if any(attribute.value for attribute in node.attributes.values()):  # axis, batch_dims
        return None
    if node.op_type == "Gather":
        return np.where(indices < 0, indices + shape[0], indices), 1
    axes = indices.shape[-1]
    places = tuple(np.where(i < 0, i + n, i) for i, n in zip(np.moveaxis(indices, -1, 0), shape, strict=False))
    return np.ravel_multi_index(places, shape[:axes]), axes
