"""Models with neurons in them, for passes that come after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

import snn_ops
from converter.activations.known import find_activations
from converter.activations.sites import Site, channel_axis
from converter.graph.batch_axis import BatchAxes
from converter.graph.build import add_functions, add_n_steps, to_proto
from converter.graph.shapes import annotate
from converter.neurons.choice import choose_neuron
from converter.options import Options
from tests.passes import axes_of, from_text

TOP = 3.0


@dataclass(frozen=True)
class Spiking:
    """A model with a neuron in the place of every activation, for results of at most `TOP`."""

    model: ir.Model
    n_steps: ir.Value
    axes: BatchAxes
    functions: frozenset[ir.Node]

    def node(self, name: str) -> ir.Node:
        return next(node for node in self.model.graph if node.name == name)


def spiking(text: str, *, neuron: str = "if-signed", opset: int = 18, **arrays: np.ndarray) -> Spiking:
    model = from_text(text, opset=opset, **arrays)
    annotate(model, {str(v.name): (1, *list(v.shape)[1:]) for v in model.graph.inputs})
    axes = axes_of(model)
    n_steps = add_n_steps(model, 16)
    functions: set[ir.Node] = set()
    for f, activation in find_activations(model, axes):
        site = Site(str(f.nodes[-1].name), activation, f.x, f.y, f.nodes, channel_axis(f.y))
        placed = choose_neuron(activation, Options(neuron=neuron)).neuron.insert(model.graph, site, n_steps)
        placed.neuron.set_range(placed, np.asarray(TOP))
        functions.update(f.nodes)
    return Spiking(model, n_steps, axes, frozenset(functions))


def run(model: ir.Model, x: np.ndarray, steps: int = 1024) -> np.ndarray:
    """Its first output after so many steps."""
    add_functions(model)
    return snn_ops.Session(to_proto(model), n_steps=steps).run(x)[0]


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
