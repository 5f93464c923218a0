"""Frees a batch size that the exporter fixed, e.g. ``[1, 3, 224, 224] -> [batch, 3, 224, 224]``.

1. The first axis of every input and output becomes the symbol `batch`; declared inner shapes are dropped.
2. A constant ``Reshape`` target that keeps the length of the first axis copies it instead (entry 0); one that makes another
   multiple of the batch of it infers it (entry -1). So windows or heads may share the axis with the batch.
3. Where a ``Concat`` joins one row that is the same for every sample (a class token) to a sample, the row is repeated.
4. An ``Expand`` to a constant shape that begins with the fixed size keeps the length its input has.

What the model computes for its own batch size stays the same. Whether its samples are independent of each other is for
`converter.passes.batch_axis` to prove.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph import constant

BATCH = "batch"


def fixed_batch_size(model: ir.Model) -> int | None:
    """The length that the first axes of all inputs and outputs share, None if it is symbolic.

    Raises:
        RefusedError: there is no first axis, or its fixed length is not the same everywhere.
    """
    sizes: dict[str, int] = {}
    for kind, values in (("input", model.graph.inputs), ("output", model.graph.outputs)):
        for value in values:
            if value.shape is None:
                continue
            if len(value.shape) == 0:
                raise RefusedError(f"{kind} {value.name!r} is a scalar: axis 0 must hold the samples")
            if isinstance(value.shape[0], int) and value.shape[0] > 0:  # some exporters write -1 for a free axis
                sizes[f"{kind} {value.name!r}"] = value.shape[0]
    if len(set(sizes.values())) > 1:
        (first, a), (second, b) = next((x, y) for x in sizes.items() for y in sizes.items() if x[1] != y[1])
        raise RefusedError(
            f"axis 0 has length {a} in {first} and {b} in {second}, so it does not hold the samples; "
            "export the model with the batch as axis 0 of every input and output"
        )
    return next(iter(sizes.values()), None)


def free_batch(model: ir.Model, shapes: dict[str, tuple[int, ...]]) -> None:
    """Frees the batch axis in place.

    Args:
        model: with constants lifted to initialisers.
        shapes: every value's shape when the model runs with its own batch size.
    """
    size = fixed_batch_size(model)
    for node in model.graph:
        if size is not None and node.op_type in ("Reshape", "Expand"):
            _free_target(model.graph, node, size, shapes)
    if size == 1:
        by_samples = set(model.graph.inputs)
        for node in list(model.graph):
            if node.op_type == "Concat" and not node.domain:
                _repeat_rows(model.graph, node, by_samples, shapes)
            if any(value in by_samples for value in node.inputs):
                by_samples.update(node.outputs)
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.shape is not None:
            value.shape = ir.Shape([BATCH, *value.shape.dims[1:]])
    for node in model.graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None


def _free_target(graph: ir.Graph, node: ir.Node, size: int, shapes: dict[str, tuple[int, ...]]) -> None:
    data, target = node.inputs[0], node.inputs[1]
    if data is None or target is None or target.const_value is None:
        return
    before, after = shapes.get(str(data.name)), shapes.get(str(node.outputs[0].name))
    entries = target.const_value.numpy().copy()
    if not before or not after or not len(entries) or entries[0] in (0, -1):
        return
    if node.op_type == "Expand":
        if len(after) != len(before) or before[0] != size or entries[0] != size:
            return
        entries[0] = 1
    elif after[0] == before[0]:
        entries[0] = 0
        node.attributes.pop("allowzero", None)
    elif after[0] % size == 0 and -1 not in entries:
        entries[0] = -1
    else:
        return
    node.replace_input_with(1, constant(graph, f"{node.outputs[0].name}_shape", entries.astype(np.int64)))


def _repeat_rows(graph: ir.Graph, node: ir.Node, by_samples: set[ir.Value], shapes: dict[str, tuple[int, ...]]) -> None:
    """Concat(row, x) -> Concat(Expand(row, [rows of x, 1, ...]), x)."""
    samples = next((value for value in node.inputs if value in by_samples), None)
    rank = len(shapes.get(str(node.outputs[0].name), ()))
    if samples is None or not rank or node.attributes["axis"].as_int() % rank == 0:
        return
    name = str(node.name)
    for index, value in enumerate(node.inputs):
        if value is None or value in by_samples or shapes.get(str(value.name), ())[:1] != (1,):
            continue
        rows = ir.node("Shape", [samples], {"start": 0, "end": 1}, name=f"{name}_rows_{index}")
        others = constant(graph, f"{name}_others_{index}", np.ones(rank - 1, np.int64))
        target = ir.node("Concat", [rows.outputs[0], others], {"axis": 0}, name=f"{name}_target_{index}")
        repeated = ir.node("Expand", [value, target.outputs[0]], name=f"{name}_repeated_{index}")
        graph.insert_before(node, [rows, target, repeated])
        node.replace_input_with(index, repeated.outputs[0])
