"""Models for the checks against Nengo: converted LeNet-5s, with neurons that the converter places and others put in their
place, and operators by themselves."""

from __future__ import annotations

import functools
import math
from importlib import resources
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnx_ir as ir

from converter import convert
from converter.conversion import advice
from converter.graph.build import add_functions, constant_of, operand, operator_node, set_constant, to_proto
from snn_ops.format import DOMAIN, OPSET_VERSION
from snn_ops.ops import OPERATORS

DATA = Path(str(resources.files("converter.demo"))) / "data"


def images(count: int, *, test: bool = True) -> np.ndarray:
    with np.load(DATA / f"mnist_{'test' if test else 'calibration'}.npz") as archive:
        return archive["x"][:count].astype(np.float32) / 255


@functools.cache
def lenet5(neuron: str, activation: str = "relu") -> onnx.ModelProto:
    """`neuron`: as the converter calls it, or adaptive-lif or izhikevich in the place of its lif."""
    x = images(64, test=False)
    held_out = x[:9]  # an eighth of all: ranges follow from the 64
    with mock.patch.object(advice, "LARGE_ERROR", math.inf):  # what to try next is measured by converting again, thrice
        converted = convert(
            DATA / f"lenet5_{activation}.onnx", np.concatenate([x, held_out]), neuron=neuron_before(neuron), n_steps=32
        )
    return replaced(converted.proto(), neuron)


@functools.cache
def delta_lenet5(schedule: str, activation: str = "relu") -> onnx.ModelProto:
    """In the delta code; two-phase with as many spikes a value as J = 7 has."""
    exponent = 7 if schedule == "two-phase" else None
    path, x = DATA / f"lenet5_{activation}.onnx", images(64, test=False)
    return convert(path, x, code="delta", schedule=schedule, exponent=exponent).proto()


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


CHANNELS = np.asarray([0.5, 1.0, 2.3]).reshape(3, 1, 1)
ELEMENTS = np.linspace(0.3, 2, 12).reshape(3, 2, 2)
OPERATIONS = {
    **{
        f"IF, at most {most}{', signed' if signed else ''}": (
            "IF",
            {"max_spikes": most, "signed": signed},
            {"threshold": CHANNELS},
        )
        for most in (0, 1, 15)
        for signed in (0, 1)
    },
    "IF, begun": ("IF", {"signed": 1}, {"threshold": 0.7, "voltage": ELEMENTS, "net_count": 3.0}),
    "IF, begun, with bases": (
        "IF",
        {"signed": 1},
        {"threshold": 0.7, "voltage": ELEMENTS, "voltage_base": -9.0, "net_count": 3.0, "net_count_base": 5.0},
    ),
    "IF, parameters with a batch axis": ("IF", {}, {"threshold": CHANNELS[None], "voltage": CHANNELS[None] / 2}),
    "BoundedIF": ("BoundedIF", {"max_spikes": 2, "memory": 0.3}, {"threshold": CHANNELS}),
    "BoundedIF, signed, begun": ("BoundedIF", {"signed": 1}, {"threshold": 0.7, "voltage": ELEMENTS}),
    "SigmaDelta": ("SigmaDelta", {"max_spikes": 1}, {"threshold": CHANNELS}),
    "SigmaDelta, no limit": ("SigmaDelta", {"max_spikes": 0}, {"threshold": ELEMENTS}),
    "MultiThreshold": (
        "MultiThreshold",
        {"refinements": 4},
        {"threshold": CHANNELS, "resting_value": ELEMENTS, "finest_exponent": ELEMENTS.round() + 1},
    ),
    "MultiThreshold, several, begun": (
        "MultiThreshold",
        {"max_spikes": 3},
        {"threshold": 2.0, "finest_exponent": CHANNELS - 1, "sent": ELEMENTS.round()},
    ),
    "LIF": ("LIF", {"tau_ref": 0.0035, "min_voltage": -0.5}, {"amplitude": CHANNELS}),
    "LIF, begun": ("LIF", {"dt": 0.002}, {"amplitude": -1.0, "voltage": ELEMENTS / 3, "refractory_time": 0.001}),
    "AdaptiveLIF": ("AdaptiveLIF", {"tau_n": 0.05, "inc_n": 0.1}, {"amplitude": CHANNELS, "adaptation": ELEMENTS}),
    "Izhikevich": ("Izhikevich", {"reset_recovery": 2.0}, {"amplitude": CHANNELS, "voltage": -65.0, "recovery": -13.0}),
    "LIFRate": ("LIFRate", {"tau_rc": 0.1}, {"amplitude": CHANNELS}),
    "SoftLIFRate": ("SoftLIFRate", {"sigma": 0.02}, {"amplitude": CHANNELS}),
    "RegularSpiking": ("RegularSpiking", {"dt": 0.002}, {"amplitude": CHANNELS, "voltage": ELEMENTS / 3}),
    "Lowpass": ("Lowpass", {"tau": 0.02}, {}),
    "Lowpass without time": ("Lowpass", {"tau": 0.0}, {}),
    "Alpha": ("Alpha", {"tau": 0.02, "dt": 0.002}, {}),
    "RunningMean": ("RunningMean", {}, {}),
    "LeakyMean": ("LeakyMean", {"steps": 7}, {}),
    "RunningDifference": ("RunningDifference", {}, {}),
}


def operation(case: str, element: type) -> tuple[onnx.ModelProto, np.ndarray, int]:
    """An operator after TimeRepeat, with parameters that differ between channels or elements; samples and steps for it."""
    op_type, attributes, parameters = OPERATIONS[case]
    operator, steps, shape = OPERATORS[op_type], 60, ["N", 3, 2, 2]
    kinds = {tensor.name: tensor.kind.dtype(element) for tensor in operator.inputs[1:]}
    arrays = {name: np.asarray(parameters.get(name, 0), kind) for name, kind in kinds.items()}
    arrays["n_steps"] = np.asarray(steps)
    make, float_type = onnx.helper.make_tensor_value_info, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(element))
    repeat = onnx.helper.make_node("TimeRepeat", ["x", "n_steps"], ["current"], "repeat", domain=DOMAIN)
    node = onnx.helper.make_node(
        op_type, ["current", *kinds], ["y"], op_type, domain=DOMAIN, **{**operator.defaults, **attributes}
    )
    inputs = [make("x", float_type, shape), make("n_steps", onnx.TensorProto.INT64, [])]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = onnx.helper.make_graph([repeat, node], "g", inputs, [make("y", float_type, ["M", *shape[1:]])], tensors)
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid(DOMAIN, OPSET_VERSION)]
    functions = [OPERATORS["TimeRepeat"].function(), operator.function()]
    model = onnx.helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)
    largest = 1500 if op_type == "RegularSpiking" else 15
    x = np.random.default_rng(0).uniform(-largest / 5, largest, (3, *shape[1:])).astype(element)
    return model, x, steps
