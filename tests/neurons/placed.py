"""A neuron in the place of an activation, in a model that is nothing but the activation."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.activations.known import find_activations
from converter.activations.sites import Site, channel_axis
from converter.graph.build import add_n_steps
from converter.graph.run import start_quietly
from converter.graph.shapes import annotate
from converter.neurons.neuron import Neuron, Placed
from tests.passes import axes_of, from_text

TOP = np.asarray([0.5, 1.0, 2.0, 4.0])
"""Of each channel: the activation that as many spikes as possible, without reserve, stand for."""


def place(neuron: Neuron, op_type: str) -> tuple[ir.Model, Placed]:
    """The model ``y = op_type(x)``, x [N, 4], with the neuron in the place of its activation."""
    model = from_text(f"m (float[N,4] x) => (float[N,4] y) {{ [layer] y = {op_type}(x) }}")
    annotate(model, {"x": (1, 4)})
    ((function, activation),) = find_activations(model, axes_of(model))
    site = Site("layer", activation, function.x, function.y, function.nodes, channel_axis(function.y))
    n_steps = add_n_steps(model, 1)
    return model, neuron.insert(model.graph, site, n_steps)


def run(model: ir.Model, x: np.ndarray, steps: int) -> np.ndarray:
    """x for every sample, or where the neuron runs step by step for every step and sample -> y, as a model gives it."""
    session = start_quietly(model, spiking=True)
    return session.run(["y"], {"x": x.astype(np.float32), "n_steps": np.asarray(steps)})[0]


def held(x: np.ndarray, steps: int) -> np.ndarray:
    """A constant current, step by step."""
    return np.tile(x, (steps, 1))


def mean(y: np.ndarray, steps: int) -> np.ndarray:
    return y.reshape(steps, -1, y.shape[-1]).astype(np.float64).mean(axis=0)


def numbers(count: int, low: float, high: float) -> np.ndarray:
    """``[count, 4]``, exact in float32."""
    return np.random.default_rng(0).uniform(low, high, (count, 4)).astype(np.float32).astype(np.float64)
