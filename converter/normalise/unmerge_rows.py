"""Lets a matrix product see the axes that an exporter merged into rows for it:

    Reshape [L, B, H, d] -> [L B, H d],  Gemm -> [L B, F],  Reshape -> [L, B, F]
becomes
    Reshape [L, B, H, d] -> [L, B, H d],  MatMul, Add -> [L, B, F]        (any shape that has as many rows)

With L in front, the rows of a sample are scattered over the merged axis, where nothing but the product could work on them.
Whoever reads F from the old product's shape gets it as a constant.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.build import constant, constant_of, name_of
from converter.graph.passes import Lines, PassReport
from converter.graph.shapes import Shapes


def unmerge_rows(model: ir.Model, shapes: Shapes, samples: int) -> PassReport:
    """Rewrites every such product of the main graph.

    Args:
        model: with constants as initialisers.
        shapes: every value's shape for that many samples.
        samples: their number, a prime.
    """
    lines = Lines("unmerge rows")
    for product in list(model.graph):
        if product.op_type != "Gemm" or product.domain:
            continue
        merge, split = _only_producer(product.inputs[0]), _only_user(product.outputs[0])
        if merge is None or split is None:
            continue
        name = name_of(product)
        declined = _unmerge(merge, product, split, shapes, samples)
        if declined:
            lines.declined(product, declined)
        else:
            lines.changed(f"Gemm {name!r}", f"a MatMul on the axes that {name_of(merge)!r} merged into rows for it")
    return lines.report()


def _unmerge(merge: ir.Node, product: ir.Node, split: ir.Node, shapes: Shapes, samples: int) -> str:
    """Puts a MatMul beside the product. Why it cannot, or "" where it did."""
    graph, weights = product.graph, product.inputs[1]
    assert graph is not None and weights is not None
    numbers = {name: product.attributes[name].value for name in product.attributes}
    plain = numbers.get("alpha", 1.0) == numbers.get("beta", 1.0) == 1.0 and not numbers.get("transA", 0)
    if weights.const_value is None or not plain:
        return "it is no plain product with constant weights"
    rows, after = (shapes.get(str(node.outputs[0].name)) for node in (merge, split))
    if not rows or not after or len(after) < 3:
        return f"{name_of(split)!r} does not split its rows again"
    name = str(product.name)
    target = _constant_rows(graph, after, rows[1], samples, name) or _leading(graph, split, rows[1], name)
    if target is None:
        return f"the lengths that {name_of(split)!r} makes are not known"
    matrix = weights.const_value.numpy()
    matrix = matrix.T.copy() if numbers.get("transB", 0) else matrix
    factor = constant(graph, f"{name}_weights", matrix)
    apart = ir.node("Reshape", [merge.inputs[0], target], name=f"{name}_apart")
    product.name = f"{name}_merged"
    new = [apart, ir.node("MatMul", [apart.outputs[0], factor], name=name)]
    if len(product.inputs) > 2 and product.inputs[2] is not None:
        new.append(ir.node("Add", [new[-1].outputs[0], product.inputs[2]], name=f"{name}_bias"))
    graph.insert_before(split, new)
    _tell_columns(graph, product.outputs[0], matrix)
    # the old product is not used any more, or its shape still is
    split.outputs[0].replace_all_uses_with(new[-1].outputs[0], replace_graph_outputs=True)
    return ""


def _constant_rows(graph: ir.Graph, after: tuple[int, ...], last: int, samples: int, name: str) -> ir.Value | None:
    """A constant target, where only the samples' axis can have another length, and one axis alone can be theirs."""
    fixed = all(isinstance(length, int) for value in graph.inputs for length in list(value.shape or [])[1:])
    theirs = [axis for axis, length in enumerate(after[:-1]) if length % samples == 0]
    if not fixed or len(theirs) != 1:
        return None
    entries = [-1 if axis in theirs else length for axis, length in enumerate(after[:-1])]
    return constant(graph, f"{name}_rows", np.asarray([*entries, last], np.int64))


def _leading(graph: ir.Graph, split: ir.Node, last: int, name: str) -> ir.Value | None:
    """The target of `split` with another last entry; None where it copies lengths."""
    target = split.inputs[1]
    assert target is not None
    entry = np.asarray([last], np.int64)
    if target.const_value is not None:
        entries = target.const_value.numpy()
        return None if 0 in entries else constant(graph, f"{name}_rows", np.concatenate([entries[:-1], entry]))
    start, end = (constant(graph, f"{name}_{at}", np.asarray([n], np.int64)) for at, n in (("start", 0), ("end", -1)))
    leading = ir.node("Slice", [target, start, end], name=f"{name}_leading")
    last_entry = constant(graph, f"{name}_last", entry)
    whole = ir.node("Concat", [leading.outputs[0], last_entry], {"axis": 0}, name=f"{name}_rows")
    graph.insert_before(split, [leading, whole])
    return whole.outputs[0]


def _tell_columns(graph: ir.Graph, product: ir.Value, matrix: np.ndarray) -> None:
    """Gather(Shape(product), 1) -> the number of the matrix's columns."""
    for shape in [user for user, _ in product.uses() if user.op_type == "Shape" and not user.attributes]:
        for gather in [user for user, _ in shape.outputs[0].uses() if user.op_type == "Gather"]:
            index = constant_of(gather.inputs[1])
            if index is not None and np.isin(index, (1, -1)).all():
                columns = constant(graph, f"{gather.name}_columns", np.full_like(index, matrix.shape[1]))
                gather.outputs[0].replace_all_uses_with(columns)


def _only_producer(value: ir.Value | None) -> ir.Node | None:
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == "Reshape" else None


def _only_user(value: ir.Value) -> ir.Node | None:
    """The Reshape that alone uses the value; its shape may be read as well."""
    users = [user for user, _ in value.uses() if user.op_type != "Shape"]
    single = len(users) == 1 and users[0].op_type == "Reshape" and not value.is_graph_output()
    return users[0] if single and not users[0].outputs[0].is_graph_output() else None
