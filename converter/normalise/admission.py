"""Which models cannot be converted, whatever is done with them: told from the file, with what to do instead."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import name_of
from converter.graph.op_facts import facts
from converter.graph.passes import PassReport
from converter.io.onnx_files import holds_operators
from snn_ops.format import N_STEPS

_STANDARD = ("", "ai.onnx")
"""Names of the domain of ONNX's own operators."""

LOWEST_OPSET = 7


def check_usable(proto: onnx.ModelProto) -> None:
    """Whether a model is one that can be converted at all, before anything is done with it.

    Raises:
        RefusedError: its opset is too old, it is spiking already, it has an operator nobody knows, or an input or output that
            is no tensor of numbers.
    """
    opset = next((o.version for o in proto.opset_import if o.domain in _STANDARD), 1)
    if opset < LOWEST_OPSET:
        raise RefusedError(f"opset {opset} is older than {LOWEST_OPSET}; export the model with a newer opset")
    if holds_operators(proto):
        raise RefusedError("this is already a spiking model; convert the trained model it came from")
    _check_interface(proto.graph)
    functions = {(f.domain, f.name) for f in proto.functions}
    for node in proto.graph.node:
        if node.domain not in _STANDARD:
            continue
        if not onnx.defs.has(node.op_type, opset, "") and (node.domain, node.op_type) not in functions:
            raise RefusedError(
                f"operator {node.op_type} does not exist in opset {opset}", node=node.name or node.output[0]
            )


def check_inference(model: ir.Model) -> PassReport:
    """Nothing in the model is as it is in training, where samples of a batch or a draw decide. It changes nothing.

    Args:
        model: without functions; subgraphs are looked at, too.

    Raises:
        RefusedError: a node draws random numbers, or normalises by the batch that it is given.
    """
    for node in model.graph.all_nodes():
        instead = "export the model for inference (PyTorch: model.eval())"
        if facts(node).random:
            raise RefusedError(
                f"{node.op_type} draws other numbers in every run, so there is nothing to compare with; {instead}, or make "
                "the random numbers an input",
                node=name_of(node),
            )
        if node.domain or not _is_in_training(node, model.opset_imports[""]):
            continue
        what = (
            "takes mean and variance from the batch"
            if node.op_type == "BatchNormalization"
            else "drops numbers at random"
        )
        raise RefusedError(f"{node.op_type} {what}, as in training; {instead}", node=name_of(node))
    return PassReport("check inference")


def _is_in_training(node: ir.Node, opset: int) -> bool:
    if node.op_type == "BatchNormalization":
        # before opset 14 the statistics of the batch, as further outputs, are what tells
        gives_statistics = any(value.name and (value.uses() or value.is_graph_output()) for value in node.outputs[1:])
        return bool(node.attributes.get_int("training_mode", 0)) or (opset < 14 and gives_statistics)
    if node.op_type != "Dropout" or len(node.inputs) < 3 or node.inputs[2] is None:
        return False
    ratio, mode = (None if value is None else ir.convenience.get_const_tensor(value) for value in node.inputs[1:3])
    return (mode is None or bool(mode.numpy().any())) and (ratio is None or bool(ratio.numpy().any()))


def _check_interface(graph: onnx.GraphProto) -> None:
    """Inputs and outputs are tensors, inputs of numbers and with a known rank."""
    defaults = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in defaults]
    for role, values in (("input", inputs), ("output", graph.output)):
        for value in values:
            if value.name == N_STEPS:
                raise RefusedError(f"its {role} {N_STEPS!r} has the name of an input of every spiking model; rename it")
            held = value.type.WhichOneof("value")
            if held in ("sequence_type", "map_type", "sparse_tensor_type"):
                what = held.removesuffix("_type").replace("_", " ")
                is_zip_map = any(node.op_type == "ZipMap" and value.name in node.output for node in graph.node)
                instead = (
                    "skl2onnx leaves ZipMap out with options={id(model): {'zipmap': False}}"
                    if is_zip_map
                    else "export the model with tensors"
                )
                raise RefusedError(f"its {role} {value.name!r} is a {what}, not a tensor; {instead}")
    for value in inputs:
        tensor = value.type.tensor_type
        if value.type.HasField("optional_type"):
            tensor = value.type.optional_type.elem_type.tensor_type
        if tensor.elem_type == onnx.TensorProto.STRING:
            raise RefusedError(f"its input {value.name!r} takes text; export the model from the numbers made of it on")
        if not tensor.HasField("shape"):
            raise RefusedError(f"its input {value.name!r} has no declared shape; export the model with one")
