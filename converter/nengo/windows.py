"""The readout by a window as a node: `converter.spiking.readout` writes it in standard operators."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from snn_ops.format import Metadata

WINDOW_DOMAIN, WINDOW_MEAN = "converter.nengo", "WindowMean"
"""The node's operator; only handlers of this room know it."""


def window_nodes(model: ir.Model) -> None:
    """Puts a node of the operator `WINDOW_MEAN`, with the attribute `steps`, in the place of each window."""
    metadata = Metadata.read(model.metadata_props)
    if metadata.readout != "window":
        return
    values = {str(value.name): value for node in model.graph for value in node.outputs}
    for scan in [node for node in model.graph if node.op_type == "Scan" and f"{node.name}_merged" in values]:
        split, merged = values[f"{scan.name}_through_time"].producer(), values[f"{scan.name}_merged"]
        assert split is not None
        mean = ir.node(
            WINDOW_MEAN,
            [split.inputs[0]],
            {"steps": metadata.readout_steps},
            domain=WINDOW_DOMAIN,
            outputs=[ir.Value(name=merged.name, type=merged.type, shape=merged.shape)],
            name=scan.name,
        )
        model.graph.insert_before(scan, mean)
        for user, index in list(merged.uses()):
            user.replace_input_with(index, mean.outputs[0])
        merged.name = f"{scan.name}_unused"
    common_passes.RemoveUnusedNodesPass()(model)
