"""A VGG for 32x32 images with random weights, as ONNX: for timing on machines where LeNet-5 is too small to fill the device."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

LAYERS: tuple[int | str, ...] = (64, 64, "pool", 128, 128, "pool", 256, 256, "pool", 512, 512, "pool")
"""Channels of the 3x3 convolutions, each with a Relu; average pooling in between."""
CLASSES = 10
IMAGE = (3, 32, 32)


def weights(seed: int = 0) -> list[np.ndarray]:
    """Of the convolutions and of the last layer, scaled so that the activations keep their size."""
    rng = np.random.default_rng(seed)
    shapes, channels = [], IMAGE[0]
    for layer in LAYERS:
        if isinstance(layer, int):
            shapes.append((layer, channels, 3, 3))
            channels = layer
    shapes.append((CLASSES, channels * 4))
    return [rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32) for shape in shapes]


def model() -> onnx.ModelProto:
    """The trained model's graph, free in the batch."""
    tensors = weights()
    nodes, value, used = [], "image", 0
    for index, layer in enumerate(LAYERS):
        name = f"layer{index}"
        if layer == "pool":
            nodes.append(helper.make_node("AveragePool", [value], [name], kernel_shape=[2, 2], strides=[2, 2]))
        else:
            nodes.append(helper.make_node("Conv", [value, f"w{used}"], [f"{name}_x"], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [f"{name}_x"], [name], name=name))
            used += 1
        value = name
    nodes.append(helper.make_node("Flatten", [value], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", f"w{used}"], ["scores"], transB=1))
    element = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "vgg",
        [helper.make_tensor_value_info("image", element, ["batch", *IMAGE])],
        [helper.make_tensor_value_info("scores", element, ["batch", CLASSES])],
        [numpy_helper.from_array(array, f"w{index}") for index, array in enumerate(tensors)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
