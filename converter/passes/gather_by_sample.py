"""Picks by index within each sample what an exporter picks by index among all numbers of the batch.

    Reshape x [B, ...] -> [B n],  Gather<axis = 0>(x, i + n b)        (torch's `as_strided`, as behind AdaptiveAvgPool2d)
becomes
    Reshape x [B, ...] -> [B, n],  Gather<axis = 1>(x, i)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from converter.graph import constant, constant_of
from converter.runtime import Probe


class GatherBySamplePass(ir.passes.InPlacePass):
    """Rewrites the main graph.

    Args:
        input_shapes: by name, for `samples` samples.
        samples: the size of the batch, if it is fixed, else any.
    """

    def __init__(self, input_shapes: Mapping[str, tuple[int, ...]], samples: int) -> None:
        super().__init__()
        self._input_shapes, self._samples = input_shapes, samples

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Applies the rewrite wherever the indices are the same for each sample, whatever the input."""
        lengths = [length for value in model.graph.inputs for length in list(value.shape or [None])[1:]]
        if not all(isinstance(length, int) for length in lengths):
            return ir.passes.PassResult(model, False)  # the indices may depend on them
        found = [
            node for node in model.graph if node.op_type == "Gather" and not node.domain and _picks_among_all(node)
        ]
        for node in found:
            self._rewrite(model, node)
        return ir.passes.PassResult(model, bool(found))

    def _rewrite(self, model: ir.Model, node: ir.Node) -> None:
        flat, indices = node.inputs
        assert flat is not None and indices is not None
        feed = {
            str(v.name): np.zeros(self._input_shapes[str(v.name)], v.dtype.numpy())
            for v in model.graph.inputs
            if v.dtype
        }
        arrays = Probe(model, [flat, indices]).run(feed)
        numbers, rest = divmod(arrays[str(flat.name)].size, self._samples)
        chosen = arrays[str(indices.name)]
        if rest or chosen.shape[:1] != (self._samples,):
            return
        by_sample = chosen.reshape(self._samples, -1) - numbers * np.arange(self._samples)[:, None]
        first = by_sample[0]
        if not first.size or (by_sample != first).any() or first.min() < 0 or first.max() >= numbers:
            return
        target = constant(model.graph, f"{node.name}_by_sample", np.asarray([-1, numbers], np.int64))
        rows = ir.node("Reshape", [flat, target], name=f"{node.name}_rows")
        model.graph.insert_before(node, rows)
        node.replace_input_with(0, rows.outputs[0])
        node.replace_input_with(1, constant(model.graph, f"{node.name}_chosen", first.reshape(chosen.shape[1:])))
        node.attributes["axis"] = ir.AttrInt64("axis", 1)


def _picks_among_all(node: ir.Node) -> bool:
    """Whether the data is a Reshape to [-1], and the indices do not come from data."""
    axis = node.attributes.get("axis")
    flat = node.inputs[0].producer() if node.inputs[0] is not None else None
    if flat is None or flat.op_type != "Reshape" or flat.domain or (axis is not None and axis.as_int() != 0):
        return False
    target = constant_of(flat.inputs[1])
    return target is not None and target.tolist() == [-1] and not _depends_on_inputs(node.inputs[1])


def _depends_on_inputs(value: ir.Value | None) -> bool:
    """Other than through a shape."""
    todo, seen = [value], set()
    while todo:
        value = todo.pop()
        if value is None or value in seen:
            continue
        seen.add(value)
        producer = value.producer()
        if producer is None and not value.is_initializer():
            return True
        if producer is not None and producer.op_type not in ("Shape", "Size"):
            todo.extend(producer.inputs)
    return False
