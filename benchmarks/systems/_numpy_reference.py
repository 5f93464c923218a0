"""A network step by step in float64 NumPy: what every system is held against. Slow, and shares no code with any of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.workloads.network import Equation, Layer, Network

TAU_RC, TAU_REF = 20.0, 2.0

Array = np.ndarray


def simulate(network: Network, x: Array, n_steps: int) -> tuple[Array, dict[str, Array]]:
    """The mean over time of the last layer, and the number of spikes of each neuron by name of its layer."""
    step = {Equation.IF: _if, Equation.NENGO_IF: _nengo_if, Equation.NENGO_LIF: _nengo_lif}[network.equation]
    states: dict[str, dict[str, Array]] = {}
    counts: dict[str, Array] = {}
    total: Array = np.zeros(())
    for _ in range(n_steps):
        values: dict[str, Array] = {"input": x.astype(np.float64)}
        for layer in network.layers:
            inputs = [values[name] for name in layer.inputs]
            if layer.kind == "neuron":
                spikes = step(inputs[0], states.setdefault(layer.name, {}))
                counts[layer.name] = counts.get(layer.name, 0) + spikes
                values[layer.name] = spikes
            else:
                values[layer.name] = _LINEAR[layer.kind](network, layer, inputs)
        total = total + values[network.layers[-1].name]
    return total / n_steps, counts


def _if(j: Array, state: dict[str, Array]) -> Array:
    v = state.get("v", np.zeros_like(j)) + j
    spikes = np.where(v >= 1, 1.0, 0.0)
    state["v"] = v - spikes
    return spikes


def _nengo_if(j: Array, state: dict[str, Array]) -> Array:
    v = state.get("v", np.zeros_like(j)) + np.maximum(j, 0)
    spikes = np.floor(v)
    state["v"] = v - spikes
    return spikes


def _nengo_lif(j: Array, state: dict[str, Array]) -> Array:
    """As nengo.LIF: the time since the last spike is known within a step."""
    waiting = state.get("ref", np.zeros_like(j)) - 1
    delta = np.clip(1 - waiting, 0, 1)
    v = state.get("v", np.zeros_like(j))
    v = v + (j - v) * (1 - np.exp(-delta / TAU_RC))
    fires = v > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        at = 1 + TAU_RC * np.log1p(-(v - 1) / (j - 1))
    state["v"] = np.where(fires, 0, np.maximum(v, 0))
    state["ref"] = np.where(fires, TAU_REF + at, waiting)
    return np.where(fires, 1.0, 0.0)


def _windows(x: Array, size: tuple[int, int], stride: int, pads: tuple[int, int, int, int]) -> Array:
    """[N, C, H, W] -> [N, C, rows, columns, height, width]."""
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=(2, 3))[:, :, ::stride, ::stride]


def _conv(network: Network, layer: Layer, inputs: list[Array]) -> Array:
    weights, bias = network.weights(layer)
    windows = _windows(inputs[0], weights.shape[2:], layer.stride, layer.pads)
    return np.einsum("nchwij,ocij->nohw", windows, weights, optimize=True) + bias[:, None, None]


def _conv_transpose(network: Network, layer: Layer, inputs: list[Array]) -> Array:
    """Every input adds its weights to the output around it."""
    weights, bias = network.weights(layer)
    (x,), (height, width) = inputs, weights.shape[2:]
    samples, _, rows, columns = x.shape
    top, left, bottom, right = layer.pads
    full = np.zeros(
        (samples, weights.shape[1], (rows - 1) * layer.stride + height, (columns - 1) * layer.stride + width)
    )
    for row in range(height):
        for column in range(width):
            part = np.einsum("nchw,co->nohw", x, weights[:, :, row, column])
            down, right_hand = (
                slice(i, i + n * layer.stride, layer.stride) for i, n in ((row, rows), (column, columns))
            )
            full[:, :, down, right_hand] += part
    more = layer.output_padding
    full = np.pad(full, ((0, 0), (0, 0), (0, more), (0, more)))
    return full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right] + bias[:, None, None]


def _dense(network: Network, layer: Layer, inputs: list[Array]) -> Array:
    weights, bias = network.weights(layer)
    return inputs[0] @ weights.T.astype(np.float64) + bias


def _average_pool(_: Network, layer: Layer, inputs: list[Array]) -> Array:
    return _windows(inputs[0], (layer.size, layer.size), layer.size, (0, 0, 0, 0)).mean(axis=(4, 5))


def _flatten(_: Network, layer: Layer, inputs: list[Array]) -> Array:
    return inputs[0].reshape(len(inputs[0]), -1)


def _add(_: Network, layer: Layer, inputs: list[Array]) -> Array:
    return np.sum(inputs, axis=0)


_LINEAR: dict[str, Callable[[Network, Layer, list[Array]], Array]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "dense": _dense,
    "average_pool": _average_pool,
    "flatten": _flatten,
    "add": _add,
}
