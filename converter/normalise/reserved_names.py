"""Inner values called like an input that the spiking model will have get another name."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.build import constant, free_name
from converter.graph.passes import Lines, PassReport
from snn_ops.format import FIRST_SAMPLE, N_STEPS, STEP

RESERVED = (N_STEPS, FIRST_SAMPLE, STEP)
"""Inputs of spiking models."""


def free_reserved_names(model: ir.Model) -> PassReport:
    """Renames initialisers and results of nodes; inputs and outputs keep their names, by which users know them."""
    lines = Lines("reserved names")
    graph = model.graph
    for name in RESERVED:
        if name not in graph.initializers:
            continue
        value = graph.initializers.pop(name)
        assert value.const_value is not None
        renamed = constant(graph, f"{name}_of_model", value.const_value.numpy())
        value.replace_all_uses_with(renamed)
        lines.changed(
            f"initialiser {name!r}", f"is called {renamed.name!r} now: the spiking model has an input of its name"
        )
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if value.name in RESERVED and not value.is_graph_output():
                lines.changed(
                    node, f"its result {value.name!r} has another name: the spiking model has an input of that one"
                )
                value.name = free_name(graph, f"{value.name}_of_model")
    return lines.report()
