"""Which models cannot be converted, whatever is done with them: told from the file, with what to do instead."""

from __future__ import annotations

import onnx

from converter.errors import RefusedError
from converter.graph.op_facts import OPS
from snn_ops.format import DOMAIN, N_STEPS

LOWEST_OPSET = 7


def check_usable(proto: onnx.ModelProto) -> None:
    """Whether a model is one that can be converted at all, before anything is done with it.

    Raises:
        RefusedError: its opset is too old, it is spiking already, it is in training mode or draws random numbers, it has an
            operator nobody knows, or an input or output that is no tensor of numbers.
    """
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    if opset < LOWEST_OPSET:
        raise RefusedError(f"opset {opset} is older than {LOWEST_OPSET}; export the model with a newer opset")
    if any(o.domain == DOMAIN for o in proto.opset_import):
        raise RefusedError("this is already a spiking model; convert the trained model it came from")
    _check_interface(proto.graph)
    functions = {(f.domain, f.name) for f in proto.functions}
    for node in proto.graph.node:
        if node.domain not in ("", "ai.onnx"):
            continue
        name = node.name or node.output[0]
        if node.op_type in OPS and OPS[node.op_type].random:
            raise RefusedError(
                f"{node.op_type} draws other numbers in every run, so there is nothing to compare with; export the model for "
                "inference (PyTorch: model.eval()), or make the random numbers an input",
                node=name,
            )
        if node.op_type == "BatchNormalization" and any(a.name == "training_mode" and a.i for a in node.attribute):
            raise RefusedError(
                "BatchNormalization takes mean and variance from the batch, as in training; export the model for inference "
                "(PyTorch: model.eval())",
                node=name,
            )
        if not onnx.defs.has(node.op_type, opset, "") and (node.domain, node.op_type) not in functions:
            raise RefusedError(f"operator {node.op_type} does not exist in opset {opset}", node=name)


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
