"""Keeps what is not linear exact: operations between neurons that do not commute with a mean over time become islands.

A linear operation may run on the spikes of each step: the mean of its results is its result of the mean. MaxPool, Softmax,
products of two signals and the like may not. Such a node gets RunningMean on its inputs, so that it sees what the trained
model's node sees, and RunningDifference on its outputs, which turns the result back into a current with the same mean:

    x -> RunningMean -> MaxPool -> RunningDifference -> ...

Neurons that track a target (SigmaDelta) get the running mean's function directly, without RunningDifference. Values inside
an island are graded, not spikes; reports list every island.

In a stream that forgets LeakyMean takes the place of RunningMean, so that the island answers for the present input, and its
result is a current as it is:

    x -> LeakyMean -> MaxPool -> ...
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes
from converter.graph.op_facts import facts, has_weights, is_linear
from converter.graph.passes import Lines, PassReport
from converter.spiking.codes import RATE, Code
from converter.spiking.regions import Regions, find_regions, runs_through_time
from converter.spiking.time_nodes import TimeNodes
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS

_MEANS = {"RunningMean": "running mean", "LeakyMean": "leaky mean"}
"""What reports call them."""


@dataclass(frozen=True)
class Island:
    """Nodes that stay analog, in the order of the graph."""

    nodes: tuple[str, ...]
    op_types: tuple[str, ...]
    multiply_adds: int = 0
    """Of its products of signals, per sample."""


def analog_islands(
    model: ir.Model,
    n_steps: ir.Value,
    axes: BatchAxes,
    functions: frozenset[ir.Node] = frozenset(),
    code: Code = RATE,
) -> tuple[PassReport, BatchAxes, list[Island]]:
    """Inserts the code's mean and difference around what is not linear in the main graph.

    Args:
        model: a trained model in which neurons have been placed.
        n_steps: its `n_steps` input.
        axes: where the samples of each value lie.
        functions: nodes of functions that neurons track; they need the mean, and are no islands.
        code: how spikes carry values; one of the rate code's forms.

    Returns:
        The report; where the samples lie, of new values too; the islands.
    """
    lines, time = Lines("analog islands"), TimeNodes(n_steps, axes)
    graph, regions = model.graph, find_regions(model)
    inside = _analog(regions, functions)
    analog = [node for node in graph if node in inside]
    for node in analog:
        for index, value in enumerate(node.inputs):
            if value is not None and regions.is_temporal(value) and value.producer() not in inside:
                node.replace_input_with(index, time.after(graph, code.mean, value))
                lines.changed(node, f"sees the {_MEANS[code.mean]} of {value.name!r}")
    for node in analog if code.difference else ():
        for value in node.outputs:
            outside = [(user, index) for user, index in value.uses() if not _is_inside(user, index, inside)]
            for user, index in outside:
                user.replace_input_with(index, time.after(graph, code.difference, value))
            if outside:
                lines.changed(node, f"its result {value.name!r} goes on as a current, by its running difference")
    for node in graph:  # a target that is itself a current
        target = node.inputs[0] if _tracks(node) else None
        if target is not None and regions.is_temporal(target) and target.producer() not in inside:
            node.replace_input_with(0, time.after(graph, code.mean, target))
            lines.changed(node, f"tracks the {_MEANS[code.mean]} of {target.name!r}")
    return lines.report(), time.axes, _connected([node for node in analog if node not in functions])


def find_islands(model: ir.Model, functions: frozenset[ir.Node]) -> list[Island]:
    """The islands between neurons of a model that is not run step by step, where nothing needs to be inserted."""
    inside = _analog(find_regions(model), functions)
    return _connected([node for node in model.graph if node in inside and node not in functions])


def _analog(regions: Regions, functions: frozenset[ir.Node]) -> frozenset[ir.Node]:
    """What is not linear, and what lies between: operations without weights whose every neighbour is analog."""
    inside = {node for node in regions.temporal if node in functions or not _may_spike(node, regions)}
    between = {
        node
        for node in regions.temporal - inside
        if not runs_through_time(node) and not has_weights(node, regions.is_temporal)
    }
    while True:  # what has a neighbour that spikes is not between
        enclosed = inside | between
        outer = {
            node
            for node in between
            if not all(v.producer() in enclosed for v in node.inputs if v is not None and regions.is_temporal(v))
            or not all(_is_inside(user, index, enclosed) for v in node.outputs for user, index in v.uses())
        }
        if not outer:
            return frozenset(enclosed)
        between -= outer


def _is_inside(user: ir.Node, index: int, inside: Set[ir.Node]) -> bool:
    """Whether a use of an analog value may see it as it is."""
    return user in inside or (_tracks(user) and index == 0) or facts(user).reads_shape


def _tracks(node: ir.Node) -> bool:
    """Whether the node's input is a target, a function of the running mean, and not a current."""
    return node.domain == DOMAIN and OPERATORS[node.op_type].takes == "target"


def _may_spike(node: ir.Node, regions: Regions) -> bool:
    """Whether the node may run on the currents of single steps."""
    return runs_through_time(node) or is_linear(node, regions.is_temporal)


def _connected(nodes: list[ir.Node]) -> list[Island]:
    """Groups of analog nodes that feed each other."""
    group_of: dict[ir.Node, list[ir.Node]] = {}
    for node in nodes:
        group = [node]
        for value in node.inputs:
            producer = value.producer() if value is not None else None
            if producer in group_of and group_of[producer] is not group:
                group = group_of[producer] + group
        for member in group:
            group_of[member] = group
    unique = {id(group): group for group in group_of.values()}
    return [Island(tuple(str(n.name) for n in group), tuple(n.op_type for n in group)) for group in unique.values()]
