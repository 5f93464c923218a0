"""The readout by a window as a node: `converter.spiking.readout` writes it in standard operators."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.graph.build import add_functions, operator_node, to_proto
from snn_ops.format import N_STEPS, Metadata

WINDOW_DOMAIN, WINDOW_MEAN = "converter.nengo", "WindowMean"
"""The node's operator; only handlers of this room know it."""


def window_nodes(model: ir.Model) -> None:
    """Puts a node of the operator `WINDOW_MEAN`, with the attribute `steps`, in the place of each window."""
    steps = {"steps": Metadata.read(model.metadata_props).readout_steps}
    _replace(model, lambda x, name: ir.node(WINDOW_MEAN, [x], steps, domain=WINDOW_DOMAIN, name=name))


def windows_as_running_means(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model for training: a copy whose windows are means over all steps, or itself where it has none.

    They are the same until a window is full, so in the one step of a sample in training. A window is a process, through which
    NengoDL takes no derivative: weights before it would stay as they are.

    Args:
        proto: a spiking model that begins at rest.
    """
    metadata = Metadata.read({entry.key: entry.value for entry in proto.metadata_props})
    if metadata.readout != "window":
        return proto
    model = ir.from_proto(proto)
    n_steps = next(value for value in model.graph.inputs if value.name == N_STEPS)
    _replace(model, lambda x, name: operator_node(model.graph, "RunningMean", name, x, n_steps))
    add_functions(model)
    metadata.without("readout", "readout_steps").write(model.metadata_props)
    return to_proto(model)


def _replace(model: ir.Model, mean_of: Callable[[ir.Value, str], ir.Node]) -> None:
    """Puts what `mean_of` makes of a value, by this name, in the place of the window over it; nothing where there is none."""
    if Metadata.read(model.metadata_props).readout != "window":
        return
    values = {str(value.name): value for node in model.graph for value in node.outputs}
    for scan in [node for node in model.graph if node.op_type == "Scan" and f"{node.name}_merged" in values]:
        split, merged = values[f"{scan.name}_through_time"].producer(), values[f"{scan.name}_merged"]
        assert split is not None
        x = split.inputs[0]
        assert x is not None
        mean = mean_of(x, str(scan.name))
        model.graph.insert_before(scan, mean)
        for user, index in list(merged.uses()):
            user.replace_input_with(index, mean.outputs[0])
        name, merged.name = merged.name, f"{scan.name}_unused"
        mean.outputs[0].name, mean.outputs[0].type, mean.outputs[0].shape = name, merged.type, merged.shape
    common_passes.RemoveUnusedNodesPass()(model)
