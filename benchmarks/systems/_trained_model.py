"""A network as the ONNX file of a trained model: Relu where neurons will stand."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.systems.system import CannotComputeError
from benchmarks.workloads.network import Layer, Network

OPSET = 18


def trained_model(network: Network) -> onnx.ModelProto:
    """Free in the batch; values have the names of the layers, the input is "input".

    Raises:
        CannotComputeError: a layer that no trained model has.
    """
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
    if layer.kind == "neuron":
        return "Relu", {}
    raise CannotComputeError(f"a trained model has no layer of kind {layer.kind}")
