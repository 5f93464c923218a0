"""Converted LeNet-5s for the checks against Nengo, with neurons that the converter places and others put in their place."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from converter import convert
from converter.graph import add_functions, constant_of, operand, operator_node, set_constant, to_proto

DATA = Path(str(resources.files("converter.demo"))) / "data"


def images(count: int, *, test: bool = True) -> np.ndarray:
    with np.load(DATA / f"mnist_{'test' if test else 'calibration'}.npz") as archive:
        return archive["x"][:count].astype(np.float32) / 255


@functools.cache
def lenet5(neuron: str, activation: str = "relu") -> onnx.ModelProto:
    """`neuron`: as the converter calls it, or adaptive-lif or izhikevich in the place of its lif."""
    converted = convert(
        DATA / f"lenet5_{activation}.onnx", images(64, test=False), neuron=neuron_before(neuron), n_steps=32
    )
    return replaced(converted.proto(), neuron)


def neuron_before(neuron: str) -> str:
    return "lif" if neuron in ("adaptive-lif", "izhikevich") else neuron


def replaced(proto: onnx.ModelProto, neuron: str) -> onnx.ModelProto:
    if neuron not in ("adaptive-lif", "izhikevich"):
        return proto
    op_type = {"adaptive-lif": "AdaptiveLIF", "izhikevich": "Izhikevich"}[neuron]
    model = ir.from_proto(proto)
    n_steps = next(value for value in model.graph.inputs if value.name == "n_steps")
    for node in [node for node in model.graph if node.op_type == "LIF"]:
        same = {"constant_current": node.attributes["constant_current"].as_int()}
        if op_type == "AdaptiveLIF":
            same |= {name: node.attributes[name].value for name in ("tau_rc", "tau_ref", "min_voltage", "dt")}
        amplitude = constant_of(operand(node, "amplitude"))
        new = operator_node(
            model.graph, op_type, f"{node.name}_{neuron}", node.inputs[0], n_steps, {"amplitude": amplitude}, same
        )
        new.outputs[0].name, node.outputs[0].name = node.outputs[0].name, None
        model.graph.insert_after(node, new)
        for user, index in list(node.outputs[0].uses()):
            user.replace_input_with(index, new.outputs[0])
        model.graph.remove(node, safe=True)
    if op_type == "Izhikevich":  # its currents are in other units: about 4 to 20
        for name, value in model.graph.initializers.items():
            if name.endswith(("_gain", "_bias")):
                set_constant(value, 4 * constant_of(value))
    add_functions(model)
    return to_proto(model)
