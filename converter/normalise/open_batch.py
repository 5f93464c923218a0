"""Declares the batch axis free: the first axis of every input and output becomes the symbol `batch`.

Declared inner shapes are dropped, since they may hold the batch size that the exporter fixed. What the graph computes stays as
it is; `converter.normalise.free_batch` takes the size out of it.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.passes import Lines, PassReport
from snn_ops.format import BATCH


def fixed_batch_size(model: ir.Model) -> int | None:
    """The length that the first axes of all inputs and outputs share, as `add_batch` has seen to; None if it is free."""
    firsts = [v.shape[0] for v in (*model.graph.inputs, *model.graph.outputs) if v.shape is not None]
    return next(
        (first for first in firsts if isinstance(first, int) and first > 0), None
    )  # -1: some exporters' free axis


def open_batch(model: ir.Model) -> PassReport:
    """Rewrites the declared shapes of the main graph."""
    lines = Lines("open batch")
    for role, values in (("input", model.graph.inputs), ("output", model.graph.outputs)):
        for value in values:
            if value.shape is None:
                continue
            if isinstance(value.shape[0], int):
                lines.changed(
                    f"{role} {value.name!r}", f"its first axis, of length {value.shape[0]}, is the free batch"
                )
            value.shape = ir.Shape([BATCH, *value.shape.dims[1:]])
    for node in model.graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None
    return lines.report()
