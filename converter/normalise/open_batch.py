"""Declares the batch axis free: the first axis of every input and output becomes the symbol `batch`.

Declared inner shapes are dropped, since they may hold the batch size that the exporter fixed. What the graph computes stays as
it is; `converter.normalise.free_batch` takes the size out of it.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.passes import Lines, PassReport
from snn_ops.format import BATCH


def fixed_batch_size(model: ir.Model) -> int | None:
    """The length that the first axes of all inputs and outputs share, None if it is symbolic.

    Raises:
        RefusedError: there is no first axis, or its fixed length is not the same everywhere.
    """
    sizes: dict[str, int] = {}
    for role, values in (("input", model.graph.inputs), ("output", model.graph.outputs)):
        for value in values:
            if value.shape is None:
                continue
            if len(value.shape) == 0:
                raise RefusedError(f"{role} {value.name!r} is a scalar: axis 0 must hold the samples")
            if isinstance(value.shape[0], int) and value.shape[0] > 0:  # some exporters write -1 for a free axis
                sizes[f"{role} {value.name!r}"] = value.shape[0]
    if len(set(sizes.values())) > 1:
        (first, a), (second, b) = next((x, y) for x in sizes.items() for y in sizes.items() if x[1] != y[1])
        raise RefusedError(
            f"axis 0 has length {a} in {first} and {b} in {second}, so it does not hold the samples; "
            "export the model with the batch as axis 0 of every input and output"
        )
    return next(iter(sizes.values()), None)


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
