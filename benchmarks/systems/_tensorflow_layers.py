"""The layers without neurons in TensorFlow, channels last. TensorFlow must be imported before, as its user wants it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.systems._channels_last import ChannelsLast
from benchmarks.workloads.network import Layer


class TensorFlowLayers:
    """Functions of tensors [B, H, W, C] or [B, n]."""

    def __init__(self, moved: ChannelsLast) -> None:
        self._tf: Any = sys.modules["tensorflow"]
        self._moved = moved

    def apply(self, layer: Layer, inputs: list[Any]) -> Any:
        """A layer's output. Weights become constants of the graph that it is called in."""
        tf, x = self._tf, inputs[0]
        if layer.kind == "average_pool":
            return tf.nn.avg_pool2d(x, layer.size, layer.size, "VALID")
        if layer.kind == "flatten":
            return tf.reshape(x, [-1, int(np.prod(self._moved.shapes[layer.inputs[0]]))])
        if layer.kind == "add":
            return tf.add_n(inputs)
        weights, bias = tf.constant(self._moved.weights[layer.name]), tf.constant(self._moved.bias[layer.name])
        if layer.kind == "dense":
            return tf.linalg.matmul(x, weights) + bias
        top, left, bottom, right = layer.pads
        if layer.kind == "conv":
            pads = [[0, 0], [top, bottom], [left, right], [0, 0]]
            return tf.nn.bias_add(tf.nn.conv2d(x, weights, layer.stride, pads), bias)
        rows, columns, filters = self._moved.shapes[layer.name]
        shape = [tf.shape(x)[0], rows + top + bottom, columns + left + right, filters]
        full = tf.nn.conv2d_transpose(x, weights, shape, layer.stride, "VALID")
        return tf.nn.bias_add(full[:, top : top + rows, left : left + columns], bias)
