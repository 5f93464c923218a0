"""Which layers of a network must run at every step: those between its neurons. Every system that can gets the same saving.

The input does not change, so what stands before the first neurons is computed once. What stands after the last ones is linear
(a bias being the same at every step), so it takes the mean over time of what it is given, once.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.workloads.network import Layer, Network


@dataclass(frozen=True)
class Phases:
    """The layers of a network, each in one of three phases."""

    once: tuple[Layer, ...]
    steps: tuple[Layer, ...]
    last: tuple[Layer, ...]
    means: tuple[str, ...]
    """Layers of `steps` whose mean over time `last` takes, or is the answer."""


def phases(network: Network) -> Phases:
    """The phases, each in the network's order."""
    by_name = {layer.name: layer for layer in network.layers}
    after: set[str] = set()  # a neuron, or after one
    for layer in network.layers:
        if layer.kind == "neuron" or after.intersection(layer.inputs):
            after.add(layer.name)
    before: set[str] = set()  # a neuron, or before one
    for layer in reversed(network.layers):
        if layer.kind == "neuron" or layer.name in before:
            before.update((layer.name, *layer.inputs) if layer.kind == "neuron" else layer.inputs)
    steps = tuple(layer for layer in network.layers if layer.name in after & before)
    last = tuple(layer for layer in network.layers if layer.name in after - before)
    wanted = {name for layer in last for name in layer.inputs} | {network.layers[-1].name}
    means = tuple(layer.name for layer in steps if layer.name in wanted)
    return Phases(tuple(layer for layer in by_name.values() if layer.name not in after), steps, last, means)
