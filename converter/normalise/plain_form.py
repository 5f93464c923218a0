"""Brings what files may write in several ways into one form, before any other pass looks at it.

1. Nodes come in the order in which they can run. ONNX asks for it, ONNX Runtime does not: its own converter to float16 puts
   a Cast at the end.
2. The graph has a name.
3. ONNX's own domain is called "", not "ai.onnx", and our domain is imported by spiking models only.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.passes import Lines, PassReport
from snn_ops.format import DOMAIN

NAME = "model"
"""Of a graph that has none."""


def plain_form(model: ir.Model) -> PassReport:
    """Rewrites the main graph, its subgraphs, functions and imports.

    Raises:
        RefusedError: nodes need each other's results.
    """
    lines = Lines("plain form")
    graphs: tuple[ir.Graph | ir.Function, ...] = (model.graph, *model.functions.values())
    for graph in graphs:
        before = list(graph)
        try:
            graph.sort()
        except ValueError as error:
            raise RefusedError(f"its nodes have no order in which they can run: {error}") from error
        moved = sum(a is not b for a, b in zip(before, graph, strict=True))
        if moved:
            lines.changed(f"graph {graph.name!r}", f"{moved} of its nodes stood in another order than they run in")
    if not model.graph.name:
        model.graph.name = NAME
        lines.changed("the graph", f"had no name, is called {NAME!r} now")
    for imports in (model.opset_imports, *(function.opset_imports for function in model.functions.values())):
        standard = imports.pop("ai.onnx", None)
        if standard is not None:
            imports.setdefault("", standard)
        imports.pop(DOMAIN, None)
    return lines.report()
