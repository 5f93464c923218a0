"""ONNX to PyTorch for the comparison with a converter that takes PyTorch models: feed-forward image networks only.

Each layer becomes a ``torch.nn`` module that holds the file's weights, inside an `fx.GraphModule`. A Softmax at the end is
left out: spikes are summed before it, and it does not change which class is largest.
"""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import fx, nn


def load(path: Path) -> fx.GraphModule:
    """The network of the file `path`, ready for inference.

    Raises:
        NotImplementedError: names a node that has no twin here.
    """
    return _Importer(onnx.load(path).graph).module()


class _Importer:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.source = graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.modules = nn.Module()
        self.target = fx.Graph()
        self.values: dict[str, fx.Node] = {}

    def module(self) -> fx.GraphModule:
        (image,) = [value.name for value in self.source.input if value.name not in self.constants]
        self.values[image] = self.target.placeholder("x")
        for node in self.source.node:
            add = getattr(self, f"_{node.op_type.lower()}", None)
            if add is None:
                raise NotImplementedError(f"node '{node.name}': {node.op_type}")
            attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            value = add(node, **attributes)
            if value is not None:
                self.values[node.output[0]] = value
        self.target.output(self.values[self.source.output[0].name])
        return fx.GraphModule(self.modules, self.target).eval()

    def _layer(self, node: onnx.NodeProto, layer: nn.Module) -> fx.Node:
        name = f"layer{len(list(self.modules.children()))}"
        self.modules.add_module(name, layer)
        return self.target.call_module(name, (self.values[node.input[0]],))

    def _weights(self, node: onnx.NodeProto, number: int) -> torch.Tensor | None:
        if number >= len(node.input):
            return None
        return torch.from_numpy(np.array(self.constants[node.input[number]]))

    def _constant(self, node: onnx.NodeProto, value: onnx.TensorProto) -> None:
        self.constants[node.output[0]] = numpy_helper.to_array(value)

    def _conv(self, node: onnx.NodeProto, **attributes: Any) -> fx.Node:
        weight, bias = self._weights(node, 1), self._weights(node, 2)
        groups, dilations = attributes.get("group", 1), attributes.get("dilations", [1, 1])
        strides = attributes.get("strides", [1, 1])
        if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or list(dilations) != [1, 1]:
            raise NotImplementedError(f"node '{node.name}': Conv with auto_pad or dilations")
        weight, padding = _even_padding(weight, attributes.get("pads", [0, 0, 0, 0]))
        outputs, inputs = weight.shape[0], weight.shape[1] * groups
        layer = nn.Conv2d(inputs, outputs, weight.shape[2:], strides, padding, groups=groups, bias=bias is not None)
        return self._layer(node, _with(layer, weight, bias))

    def _gemm(self, node: onnx.NodeProto, **attributes: Any) -> fx.Node:
        if attributes.get("alpha", 1) != 1 or attributes.get("beta", 1) != 1 or attributes.get("transA", 0):
            raise NotImplementedError(f"node '{node.name}': Gemm with alpha, beta or transA")
        weight = self._weights(node, 1)
        return self._linear(node, weight if attributes.get("transB", 0) else weight.T, self._weights(node, 2))

    def _matmul(self, node: onnx.NodeProto) -> fx.Node:
        return self._linear(node, self._weights(node, 1).T, None)

    def _linear(self, node: onnx.NodeProto, weight: torch.Tensor, bias: torch.Tensor | None) -> fx.Node:
        return self._layer(node, _with(nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight, bias))

    def _add(self, node: onnx.NodeProto) -> fx.Node:
        if node.input[1] not in self.constants:
            return self.target.call_function(operator.add, tuple(self.values[name] for name in node.input))
        linear = self.values[node.input[0]]
        layer = getattr(self.modules, str(linear.target))
        if not isinstance(layer, nn.Linear) or layer.bias is not None:
            raise NotImplementedError(f"node '{node.name}': Add of a constant elsewhere than after MatMul")
        layer.bias = nn.Parameter(self._weights(node, 1).reshape(-1))
        return linear

    def _relu(self, node: onnx.NodeProto) -> fx.Node:
        return self._layer(node, nn.ReLU())

    def _maxpool(self, node: onnx.NodeProto, **attributes: Any) -> fx.Node:
        return self._layer(node, nn.MaxPool2d(**_pool(node, attributes)))

    def _averagepool(self, node: onnx.NodeProto, **attributes: Any) -> fx.Node:
        counted = bool(attributes.pop("count_include_pad", 0))
        return self._layer(node, nn.AvgPool2d(**_pool(node, attributes), count_include_pad=counted))

    def _flatten(self, node: onnx.NodeProto, axis: int = 1) -> fx.Node:
        if axis != 1:
            raise NotImplementedError(f"node '{node.name}': Flatten of axis {axis}")
        return self._layer(node, nn.Flatten())

    def _reshape(self, node: onnx.NodeProto) -> fx.Node:
        shape = self.constants[node.input[1]]
        if len(shape) != 2:
            raise NotImplementedError(f"node '{node.name}': Reshape to {shape.tolist()}")
        return self._layer(node, nn.Flatten())

    def _transpose(self, node: onnx.NodeProto, perm: list[int]) -> fx.Node:
        return self.target.call_method("permute", (self.values[node.input[0]], *perm))

    def _softmax(self, node: onnx.NodeProto, **_: Any) -> fx.Node:
        if node.output[0] != self.source.output[0].name:
            raise NotImplementedError(f"node '{node.name}': Softmax before the end")
        return self.values[node.input[0]]


def _with(layer: nn.Conv2d | nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Module:
    layer.weight = nn.Parameter(weight.contiguous())
    if bias is not None:
        layer.bias = nn.Parameter(bias.reshape(-1))
    return layer


def _even_padding(weight: torch.Tensor, pads: list[int]) -> tuple[torch.Tensor, tuple[int, int]]:
    """PyTorch pads both sides alike: pad as the wider side, with zero weights over what is too much."""
    top, left, bottom, right = pads
    more = [max(end - start, 0) for start, end in ((left, right), (top, bottom))]
    less = [max(start - end, 0) for start, end in ((left, right), (top, bottom))]
    weight = nn.functional.pad(weight, (more[0], less[0], more[1], less[1]))
    return weight, (max(top, bottom), max(left, right))


def _pool(node: onnx.NodeProto, attributes: dict[str, Any]) -> dict[str, Any]:
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right) or attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise NotImplementedError(f"node '{node.name}': {node.op_type} with uneven padding")
    kernel = attributes["kernel_shape"]
    return {
        "kernel_size": kernel,
        "stride": attributes.get("strides", [1, 1]),
        "padding": (top, left),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
    }
