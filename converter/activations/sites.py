"""Where neurons may stand: the activations of a model that have weights after them, and the others with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from converter.activations.known import Activation, find_activations
from converter.errors import RefusedError
from converter.graph.batch_axis import BatchAxes
from converter.graph.op_facts import Channels, facts, has_weights, is_linear
from converter.graph.shapes import fixed_axis


def channel_axis(value: ir.Value) -> int:
    """Walks back to the layer that made the value: axis 1 after a convolution, the last axis after a matrix product.

    A Transpose on the way moves the axis. Without such a layer it is axis 1, as in NCHW.
    """
    rank = len(value.shape) if value.shape is not None else 2
    if rank <= 2:
        return rank - 1
    permutations: list[list[int]] = []
    seen: set[ir.Node] = set()
    axis = 1
    node = value.producer()
    while node is not None and node not in seen:
        seen.add(node)
        channels = facts(node).channels
        if channels is not None:
            axis = rank - 1 if channels is Channels.LAST else 1
            break
        if node.op_type == "Transpose" and "perm" in node.attributes:
            permutations.append(list(node.attributes["perm"].as_ints()))
        node = next((v.producer() for v in node.inputs if v is not None and v.producer() is not None), None)
    for permutation in reversed(permutations):
        axis = permutation.index(axis)
    return axis


@dataclass(frozen=True)
class Site:
    """An activation of a model.

    Attributes:
        name: the name of the node that makes `y`; reports call the layer by it.
        activation: which it is.
        x: the input, `y`: the result.
        nodes: the nodes from `x` to `y`.
        channel_axis: the axis of `y` along which thresholds differ; None: there is one for all.
    """

    name: str
    activation: Activation
    x: ir.Value
    y: ir.Value
    nodes: tuple[ir.Node, ...]
    channel_axis: int | None

    def per_channel(self, values: np.ndarray) -> np.ndarray:
        """A number per channel, shaped to broadcast against ``[B, ...]``."""
        rank = len(self.y.shape) if self.y.shape is not None else 2
        if rank < 2 or self.channel_axis is None:
            return values.reshape(())
        return values.reshape(-1, *[1] * (rank - 1 - self.channel_axis))

    def in_copy(self, values: Mapping[str, ir.Value], nodes: Mapping[str, ir.Node]) -> Site:
        """The same activation in a copy of the model, whose values and nodes have the same names."""
        copies = tuple(nodes[str(node.name)] for node in self.nodes)
        return replace(self, x=values[str(self.x.name)], y=values[str(self.y.name)], nodes=copies)


@dataclass(frozen=True)
class KeptAnalog:
    """An activation that no neuron takes the place of.

    Attributes:
        name: of the node that makes its result.
        activation: which it is, by name.
        reason: why it stays as it is.
    """

    name: str
    activation: str
    reason: str


def find_sites(model: ir.Model, axes: BatchAxes) -> tuple[list[Site], list[KeptAnalog]]:
    """The activations that neurons take the place of, and the others.

    Neurons stand where there are weights after an activation: their spikes meet synapses. The others stay analog: a Sigmoid
    or Exp at the output belongs to reading the result, a Sigmoid that gates another signal to a product, functions inside a
    norm or a Softmax that was written out belong to that, and whatever lies before a recurrent layer has to come whole. Where
    no activation has weights after it, all that lie neither before a recurrent layer nor inside a norm count.

    Raises:
        RefusedError: every activation lies before a recurrent layer.
    """
    activations = find_activations(model, axes)
    statistics = _statistics(model, axes)
    feeding, recurrent = _before_weights(model, axes, statistics), _before_recurrence(model)
    in_norm = {f.nodes[-1] for f, _ in activations if f.y in statistics} - feeding
    possible = {f.nodes[-1] for f, _ in activations} - recurrent - in_norm
    if activations and not possible:
        node = next(node for node in reversed(list(model.graph)) if facts(node).recurrent)
        raise RefusedError(
            f"{node.op_type} keeps a state of its own over a sequence, which does not come in parts; recurrent layers are not "
            "converted, and after this one there is no activation that a neuron could replace",
            node=node.name,
        )
    replaced = possible & feeding or possible
    sites, kept = [], []
    for f, activation in activations:
        last = f.nodes[-1]
        if last in replaced:
            axis = fixed_axis(model, f.y, channel_axis(f.y))
            sites.append(Site(str(last.name), activation, f.x, f.y, f.nodes, axis))
            continue
        if last in in_norm:
            reason = "it computes a number of many values, such as their norm"
        elif last in recurrent:
            reason = "a recurrent layer after it needs whole values"
        elif any(_multiplies_signals(user, axes) for user, _ in f.y.uses()):
            reason = "it gates another signal, and a product of two signals has no synapses"
        else:
            reason = "there are no weights after it: it belongs to reading the result"
        kept.append(KeptAnalog(str(last.name), activation.name, reason))
    return sites, kept


def _multiplies_signals(node: ir.Node, axes: BatchAxes) -> bool:
    return node.op_type == "Mul" and all(value is not None and axes.changes(value) for value in node.inputs)


def sites_in_copy(sites: Iterable[Site], model: ir.Model) -> list[Site]:
    """The same activations in a copy of their model."""
    nodes = {str(node.name): node for node in model.graph}
    values = {str(v.name): v for v in (*model.graph.inputs, *(v for n in model.graph for v in n.outputs))}
    return [site.in_copy(values, nodes) for site in sites]


def _before_recurrence(model: ir.Model) -> set[ir.Node]:
    """Nodes whose results reach a recurrent layer, at once or later."""
    before: set[ir.Node] = set()
    for node in reversed(list(model.graph)):
        users = {user for value in node.outputs for user, _ in value.uses()}
        if any(user in before or facts(user).recurrent for user in users):
            before.add(node)
    return before


def _before_weights(
    model: ir.Model, axes: BatchAxes, statistics: Mapping[ir.Value, frozenset[ir.Value]]
) -> set[ir.Node]:
    """Nodes whose results reach a layer with weights, through linear operations, poolings and norms at most."""
    feeding: set[ir.Node] = set()
    for node in reversed(list(model.graph)):
        uses = {(value, user) for value in node.outputs for user, _ in value.uses()}
        if any(
            has_weights(user, axes.changes) or (user in feeding and _passes_on(value, user, axes, statistics))
            for value, user in uses
        ):
            feeding.add(node)
    return feeding


def _passes_on(
    value: ir.Value, user: ir.Node, axes: BatchAxes, statistics: Mapping[ir.Value, frozenset[ir.Value]]
) -> bool:
    """Whether what the user makes of the value is the value still, in another scale or number."""
    others = [v for v in user.inputs if v is not None and v is not value and axes.changes(v)]
    if value in statistics:
        return all(v in statistics for v in others) and (facts(user).passes_on or is_linear(user, axes.changes))
    scaled = user.op_type in ("Mul", "Div") and not user.domain and bool(others)
    if scaled and all(v in statistics and value not in statistics[v] for v in others):
        return True
    return facts(user).passes_on or is_linear(user, axes.changes)


def _statistics(model: ir.Model, axes: BatchAxes) -> dict[ir.Value, frozenset[ir.Value]]:
    """What is computed element by element from means, sums or maxima of signals, with the values that these were taken of.

    A norm that an exporter wrote out divides a value by such a number. A value that is divided by its own sum is a share, as
    in Softmax, not that value in another scale: there is no such number before the first spike.
    """
    found: dict[ir.Value, frozenset[ir.Value]] = {}
    for node in model.graph:
        changing = [value for value in node.inputs if value is not None and axes.changes(value)]
        if not changing:
            continue
        if facts(node).reduces:
            found.update(dict.fromkeys(node.outputs, frozenset(changing)))
        elif (facts(node).elementwise or facts(node).moves) and all(value in found for value in changing):
            found.update(dict.fromkeys(node.outputs, frozenset().union(*(found[value] for value in changing))))
    return found
