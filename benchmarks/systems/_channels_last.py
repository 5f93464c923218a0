"""A network for libraries that have the channels last: shapes and weights moved once, before all runs."""

from __future__ import annotations

import numpy as np

from benchmarks.systems.system import CannotComputeError
from benchmarks.workloads.network import Layer, Network


class ChannelsLast:
    """A network's arrays with the channels last.

    Attributes:
        shapes: of one sample, by layer ("input" among them): (height, width, channels), or (length,).
        weights: by layer: conv [kh, kw, in, out], conv_transpose [kh, kw, out, in], dense [in, out] of what a flattened image
            with the channels last is.
        bias: by layer.
    """

    def __init__(self, network: Network) -> None:
        self.shapes = {"input": moved_shape(network.input_shape)}
        self.weights: dict[str, np.ndarray] = {}
        self.bias: dict[str, np.ndarray] = {}
        flattened: dict[str, tuple[int, ...]] = {}
        for layer in network.layers:
            shape = self.shapes[layer.inputs[0]]
            if layer.kind in ("conv", "conv_transpose", "dense"):
                self._weigh(network, layer, flattened.get(layer.inputs[0]))
            elif layer.kind == "flatten" and len(shape) == 3:
                flattened[layer.name] = shape
                users = [other.kind for other in network.layers if layer.name in other.inputs]
                if users != ["dense"]:
                    raise CannotComputeError("a flattened image goes elsewhere than into a dense layer")
            self.shapes[layer.name] = self._shape(layer, shape)

    def _weigh(self, network: Network, layer: Layer, image: tuple[int, ...] | None) -> None:
        weights, self.bias[layer.name] = network.weights(layer)
        if layer.kind == "dense":
            if image:
                height, width, channels = image
                by_pixel = weights.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
                weights = by_pixel.reshape(len(weights), -1)
            moved = weights.T
        else:
            moved = weights.transpose(2, 3, 1, 0)
        self.weights[layer.name] = np.ascontiguousarray(moved)

    def _shape(self, layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
        if layer.kind in ("neuron", "add"):
            return shape
        if layer.kind == "flatten":
            return (int(np.prod(shape)),)
        if layer.kind == "dense":
            return (self.weights[layer.name].shape[1],)
        rows, columns, channels = shape
        if layer.kind == "average_pool":
            return rows // layer.size, columns // layer.size, channels
        if layer.kind not in ("conv", "conv_transpose"):
            raise CannotComputeError(f"has no layer of kind {layer.kind}")
        top, left, bottom, right = layer.pads
        kernel = self.weights[layer.name].shape
        if layer.kind == "conv":
            sizes = ((rows + top + bottom - kernel[0]), (columns + left + right - kernel[1]))
            return sizes[0] // layer.stride + 1, sizes[1] // layer.stride + 1, kernel[3]
        full = [
            (n - 1) * layer.stride + k + layer.output_padding for n, k in zip((rows, columns), kernel, strict=False)
        ]
        return full[0] - top - bottom, full[1] - left - right, kernel[2]


def moved_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W) -> (H, W, C); another one stays."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def last(x: np.ndarray) -> np.ndarray:
    """[..., C, H, W] with a batch -> the channels last; a vector stays."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if x.ndim == 4 else x


def first(y: np.ndarray) -> np.ndarray:
    """The way back."""
    return np.ascontiguousarray(np.moveaxis(y, -1, 1)) if y.ndim == 4 else y
