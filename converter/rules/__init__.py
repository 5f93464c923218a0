"""Activation -> neuron, one rule per file. `find_sites` applies them all."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from converter.passes.channel_axis import channel_axis
from converter.rules._rule import Rule, Site
from converter.rules.relu import ReluRule
from converter.rules.sigmoid import SigmoidRule
from converter.rules.tanh import TanhRule

RULES: tuple[Rule, ...] = (ReluRule(), TanhRule(), SigmoidRule())

__all__ = ["RULES", "Rejected", "Rule", "Site", "find_sites"]


@dataclass(frozen=True)
class Rejected:
    """An activation that a rule recognised but whose neurons cannot take its place."""

    node: str
    activation: str
    reason: str


def find_sites(model: ir.Model) -> tuple[list[Site], list[Rejected]]:
    """Every activation of the main graph, in the order of the graph; the first rule that matches a node has it."""
    sites: list[Site] = []
    rejected: list[Rejected] = []
    for node in model.graph:
        for rule in RULES:
            found, reason = rule.match(model, node)
            if reason is not None:
                rejected.append(Rejected(str(node.name), rule.activation, reason))
            elif found is not None:
                y = node.outputs[0]
                sites.append(Site(str(node.name), rule, found.bindings["x"], y, tuple(found.nodes), channel_axis(y)))
                break
    return sites, rejected
