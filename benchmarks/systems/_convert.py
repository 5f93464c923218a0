"""Our models of a network, made by a process of its own: what runs them has `snn_ops` alone, as a deployment does.

``python -m benchmarks.systems._convert NETWORK.npz FOLDER N_STEPS KIND`` writes model.onnx there and, of a spiking model,
counts.onnx, which also gives the spikes of each layer. KIND: trained, stepped, streaming, two-phase, one-after-the-other
(two-phase with the stepped operator in it), or, without counts, delta and delta-two-phase. Prints the seconds that it took,
Python's start and imports left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from benchmarks.systems._own import TAU_RC, TAU_REF
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation, Layer, Network
from converter.conversion.main import convert
from converter.graph.build import add_functions, operator_node, set_operand, to_proto
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN, N_STEPS
from snn_ops.ops import OPERATORS, Time

OPSET = 18
CALIBRATION = 4
"""Samples: the ranges that they give are replaced, since the network's thresholds are 1."""
DELTA = {"delta": "stepped", "delta-two-phase": "two-phase"}
"""Schedules, by kind."""
DELTA_STEPS = 4
"""Of the stepped schedule; a session may take fewer."""
DELTA_CALIBRATION = 128
"""Samples, the workload's first."""
MANY = 1 << 20
"""Spikes in a step: as good as no limit, which CountIF must have."""


def main() -> None:
    network, folder, n_steps, kind = Network.load(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    start = time.perf_counter()
    if kind == "trained":
        onnx.save(trained_model(network), folder / "model.onnx")
        print(time.perf_counter() - start)
        return
    if kind in DELTA:
        onnx.save(delta_model(network, DELTA[kind]), folder / "model.onnx")
        print(time.perf_counter() - start)
        return
    schedule = "stepped" if kind in ("stepped", "streaming") else "two-phase"
    proto = spiking_model(network, n_steps, schedule, streaming=kind == "streaming")
    if kind == "one-after-the-other":
        proto = one_after_the_other(proto, network)
    onnx.save(proto, folder / "model.onnx")
    print(time.perf_counter() - start)
    onnx.save(with_counts(proto, network), folder / "counts.onnx")


def trained_model(network: Network) -> onnx.ModelProto:
    """Relu where neurons will stand. Free in the batch; values have the names of the layers, the input is "input"."""
    nodes, weights, values = [], [], {"input": "input"}
    for layer in network.layers:
        inputs = [values[name] for name in layer.inputs]
        if f"{layer.name}.weights" in network.arrays:
            for what, array in zip(("weights", "bias"), network.weights(layer), strict=True):
                weights.append(numpy_helper.from_array(np.asarray(array, np.float32), f"{layer.name}.{what}"))
                inputs.append(f"{layer.name}.{what}")
        op_type, attributes = _operator(layer)
        nodes.append(helper.make_node(op_type, inputs, [layer.name], layer.name, **attributes))
        values[layer.name] = layer.name
    element = onnx.TensorProto.FLOAT
    rank = len(network.input_shape) if network.layers[-1].kind not in ("dense", "flatten") else 1
    graph = helper.make_graph(
        nodes,
        network.name,
        [helper.make_tensor_value_info("input", element, ["batch", *network.input_shape])],
        [helper.make_tensor_value_info(network.layers[-1].name, element, ["batch", *[None] * rank])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def _operator(layer: Layer) -> tuple[str, dict[str, object]]:
    strides, pads = [layer.stride] * 2, list(layer.pads)
    if layer.kind == "conv":
        return "Conv", {"strides": strides, "pads": pads}
    if layer.kind == "conv_transpose":
        padding = [layer.output_padding] * 2
        return "ConvTranspose", {"strides": strides, "pads": pads, "output_padding": padding}
    if layer.kind == "dense":
        return "Gemm", {"transB": 1}
    if layer.kind == "average_pool":
        return "AveragePool", {"kernel_shape": [layer.size] * 2, "strides": [layer.size] * 2}
    if layer.kind == "flatten":
        return "Flatten", {}
    if layer.kind == "add":
        return "Add", {}
    return "Relu", {}


def spiking_model(network: Network, n_steps: int, schedule: str, *, streaming: bool = False) -> onnx.ModelProto:
    """The trained model converted with one-spike neurons; then each gets the network's equation, threshold 1, voltage 0."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(trained_model(network), path)
        rng = np.random.default_rng(0)
        conversion = convert(
            load_ann(path),
            rng.random((CALIBRATION, *network.input_shape), np.float32),
            code="rate",
            neuron="if" if schedule == "stepped" else "auto",
            n_steps=n_steps,
            method="percentile",
            max_spikes=1,
            correction="none",
            schedule=schedule,
            streaming=streaming,
        )
    for node in _neurons(conversion.model, network):
        _give_equation(conversion.model.graph, node, network.equation)
    return to_proto(_with_functions(conversion.model))


def delta_model(network: Network, schedule: str) -> onnx.ModelProto:
    """The trained model converted as a user converts it to the delta code; in steps, for 4 of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(trained_model(network), path)
        x = WORKLOADS[network.name]().inputs(DELTA_CALIBRATION)
        n_steps = DELTA_STEPS if schedule == "stepped" else None
        return to_proto(convert(load_ann(path), x, code="delta", schedule=schedule, n_steps=n_steps).model)


def _neurons(model: ir.Model, network: Network) -> list[ir.Node]:
    found = [node for node in model.graph if node.domain == DOMAIN and OPERATORS[node.op_type].height is not None]
    assert len(found) == len(network.neurons), "every neuron of the network is one of ours"
    return found


def _give_equation(graph: ir.Graph, node: ir.Node, equation: Equation) -> None:
    if equation is Equation.NENGO_LIF:
        _put_lif(graph, node)
        return
    for name in ("threshold", "voltage"):
        set_operand(node, name, np.asarray(float(name == "threshold"), np.float32))
    if equation is Equation.NENGO_IF:
        node.attributes["max_spikes"] = ir.AttrInt64("max_spikes", 0 if node.op_type == "IF" else MANY)
        x = node.inputs[0]
        assert x is not None
        relu = ir.node("Relu", [x], outputs=[ir.Value(name=f"{node.name}_current", type=x.type, shape=x.shape)])
        relu.name = f"{node.name}_current"
        graph.insert_before(node, relu)
        node.replace_input_with(0, relu.outputs[0])


def one_after_the_other(proto: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """A two-phase model with IF, step by step on the mean of its input, and TimeMean in the place of CountIF."""
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    for node in _neurons(model, network):
        most = 1 if network.equation is Equation.IF else 0
        attributes = {"max_spikes": most, "constant_current": 1}
        x, name = node.inputs[0], str(node.outputs[0].name)
        assert x is not None
        stepped = operator_node(graph, "IF", f"{node.name}_if", x, n_steps, {"threshold": np.ones(())}, attributes)
        mean = operator_node(graph, "TimeMean", f"{node.name}_mean", stepped.outputs[0], n_steps)
        graph.insert_after(node, [stepped, mean])
        for user, index in list(node.outputs[0].uses()):
            user.replace_input_with(index, mean.outputs[0])
        graph.remove(node, safe=True)
        mean.outputs[0].name = name
    return to_proto(_with_functions(model))


def _put_lif(graph: ir.Graph, node: ir.Node) -> None:
    """nengo.LIF in the place of IF, a step of 1."""
    x, n_steps = node.inputs[0], next(value for value in graph.inputs if value.name == N_STEPS)
    assert x is not None
    attributes: Mapping[str, float | int] = {
        "tau_rc": TAU_RC,
        "tau_ref": TAU_REF,
        "min_voltage": 0.0,
        "dt": 1.0,
        "constant_current": node.attributes["constant_current"].as_int(),
    }
    operands = {"amplitude": np.ones(())}
    lif = operator_node(graph, "LIF", f"{node.name}_lif", x, n_steps, operands, attributes)
    graph.insert_after(node, lif)
    for user, index in list(node.outputs[0].uses()):
        user.replace_input_with(index, lif.outputs[0])
    lif.outputs[0].shape, name = node.outputs[0].shape, str(node.outputs[0].name)
    graph.remove(node, safe=True)
    lif.outputs[0].name = name


def _with_functions(model: ir.Model) -> ir.Model:
    model.functions.clear()
    add_functions(model)
    return model


def with_counts(proto: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """The model with the spikes of each layer summed over time as outputs, ``LAYER.count``.

    Of neurons whose output is a mean already, T times that.
    """
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    for layer, node in zip(network.neurons, _neurons(model, network), strict=True):
        mean = node.outputs[0]
        if OPERATORS[node.op_type].time is Time.STEPS:
            time_mean = operator_node(graph, "TimeMean", f"{layer}_count", mean, n_steps)
            graph.append(time_mean)
            mean = time_mean.outputs[0]
        steps = ir.node("CastLike", [n_steps, mean])
        count = ir.node("Mul", [mean, steps.outputs[0]], outputs=[ir.Value(name=f"{layer}.sum", type=mean.type)])
        rounded = ir.node("Round", [count.outputs[0]], outputs=[ir.Value(name=f"{layer}.count", type=mean.type)])
        for new in (steps, count, rounded):
            new.name = f"{layer}_{new.op_type}_count"
            graph.append(new)
        graph.outputs.append(rounded.outputs[0])
    graph.sort()
    return to_proto(_with_functions(model))


if __name__ == "__main__":
    main()
