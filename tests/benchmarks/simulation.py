"""A network simulated step by step in float64 NumPy, as `benchmarks.workloads.network` describes it; no library's neurons."""

from __future__ import annotations

import numpy as np

from benchmarks.workloads.network import Equation, Layer, Network


def simulate(network: Network, x: np.ndarray, n_steps: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The mean of the last layer over time, and the spike counts by layer of neurons."""
    voltages: dict[str, np.ndarray] = {}
    counts: dict[str, np.ndarray] = {}
    total = np.zeros(())
    for _ in range(n_steps):
        values = {"input": x.astype(np.float64)}
        for layer in network.layers:
            given = [values[name] for name in layer.inputs]
            if layer.kind == "neuron":
                v, spikes = step(network.equation, voltages.get(layer.name, np.zeros(())), given[0])
                voltages[layer.name] = v
                counts[layer.name] = counts.get(layer.name, 0) + spikes
                values[layer.name] = spikes
            else:
                values[layer.name] = apply(network, layer, given)
        total = total + values[network.layers[-1].name]
    return total / n_steps, counts


def step(equation: Equation, v: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voltage and spikes after one step."""
    if equation is Equation.IF:
        v = v + current
        spikes = (v >= 1).astype(np.float64)
    else:
        v = v + np.maximum(current, 0)
        spikes = np.floor(v)
    return v - spikes, spikes


def apply(network: Network, layer: Layer, given: list[np.ndarray]) -> np.ndarray:
    """A layer without neurons."""
    x = given[0]
    if layer.kind == "add":
        return sum(given[1:], x)
    if layer.kind == "flatten":
        return x.reshape(len(x), -1)
    if layer.kind == "average_pool":
        batch, channels, height, width = x.shape
        size = layer.size
        return x.reshape(batch, channels, height // size, size, width // size, size).mean((3, 5))
    weights, bias = (array.astype(np.float64) for array in network.weights(layer))
    if layer.kind == "dense":
        return x @ weights.T + bias
    top, left, bottom, right = layer.pads
    if layer.kind == "conv":
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        return correlate(x, weights, layer.stride) + bias[:, None, None]
    batch, channels, height, width = x.shape
    size, stride = weights.shape[-1], layer.stride
    y = np.zeros((batch, weights.shape[1], (height - 1) * stride + size, (width - 1) * stride + size))
    for i in range(height):
        for j in range(width):
            place = np.s_[..., i * stride : i * stride + size, j * stride : j * stride + size]
            y[place] += np.einsum("bc,cokl->bokl", x[:, :, i, j], weights)
    ends = y.shape[2] - bottom + layer.output_padding, y.shape[3] - right + layer.output_padding
    return y[:, :, top : ends[0], left : ends[1]] + bias[:, None, None]


def correlate(x: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, weights.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bcijkl,ockl->boij", windows, weights, optimize=True)
