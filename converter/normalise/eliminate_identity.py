"""Removes Identity from the main graph.

    1. y = Identity(x), y inside     whoever reads y reads x
    2. y = Identity(x), y an output  x is the output, and takes the name of y

It stays where an output would lose its name or its own place: where x is an input, a constant or an output itself. In a
subgraph it stays as well: what a branch gives has to be made in the branch.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.passes import Lines, PassReport


def eliminate_identity(model: ir.Model) -> PassReport:
    """Rewrites the main graph."""
    lines = Lines("eliminate Identity")
    graph = model.graph
    for node in list(graph):
        if node.domain or node.op_type != "Identity":
            continue
        x, y = node.inputs[0], node.outputs[0]
        if x is None:
            continue
        is_output = y.is_graph_output()
        if is_output and (x.producer() is None or x.is_graph_output() or x.graph is not graph):
            lines.declined(node, f"{x.name!r} goes out as {y.name!r}, too")
            continue
        if x.type is None:
            x.type = y.type
        if x.shape is None:
            x.shape = y.shape
        y.replace_all_uses_with(x, replace_graph_outputs=True)
        graph.remove(node, safe=True)
        if is_output:
            x.name = y.name
        lines.changed(node, "removed: it gives what it gets")
    return lines.report()
