"""Which nodes run when, seen from the neurons.

static     nothing before them spikes: the same at every step, so they run once, on [B, ...]
temporal   between two neurons, and the neurons: they run at every step, on [T*B, ...]
tail       after the last neuron: they run once, on the mean over time, [B, ...]

A shape between two neurons is no signal: what is computed from it alone is the same at every step, with T*B rows in it. Where
such a shape is to be given to a static value that depends on the samples, that is temporal: it needs as many rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from converter.graph.build import depending_on_inputs
from converter.graph.op_facts import facts
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS, Time

_RUNS = (Time.STEPS, Time.AT_ONCE)


def runs_through_time(node: ir.Node) -> bool:
    """Whether this is a neuron or another operator that takes a current through time, step by step or at once."""
    return node.domain == DOMAIN and OPERATORS[node.op_type].time in _RUNS


@dataclass(frozen=True)
class Regions:
    """The main graph's nodes by region; a node in neither set is static."""

    temporal: frozenset[ir.Node]
    tail: frozenset[ir.Node]
    shaped: frozenset[ir.Node]
    """Static, but with T*B rows: computed from shapes between two neurons."""

    def is_temporal(self, value: ir.Value | None) -> bool:
        """Whether the value differs from step to step."""
        return value is not None and value.producer() in self.temporal


def find_regions(model: ir.Model) -> Regions:
    """Splits the main graph."""
    nodes = list(model.graph)
    after: set[ir.Node] = set()
    signals: set[ir.Node] = set()
    of_inputs = depending_on_inputs(model.graph)
    for node in nodes:
        producers = {value.producer() for value in node.inputs if value is not None}
        if runs_through_time(node) or producers & after:
            after.add(node)
        if facts(node).reads_shape:
            continue
        depends = any(value in of_inputs for value in node.inputs)
        if runs_through_time(node) or producers & signals or (depends and producers & after):
            signals.add(node)
    before: set[ir.Node] = set()
    for node in reversed(nodes):
        if runs_through_time(node) or any(user in before for value in node.outputs for user, _ in value.uses()):
            before.add(node)
    return Regions(frozenset(signals & before), frozenset(after - before), frozenset((after & before) - signals))
