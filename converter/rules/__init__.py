"""Activation -> neuron, one rule per file. `find_sites` applies them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.linearity import has_weights, is_linear
from converter.passes.batch_axis import BatchAxes
from converter.passes.channel_axis import channel_axis
from converter.rules._functions import ElementwiseFunction, find_functions
from converter.rules._rule import FAR, FITTED, NEAR, Rule, Site
from converter.rules.celu import CeluRule
from converter.rules.clip import ClipRule
from converter.rules.elementwise import ElementwiseRule
from converter.rules.elu import EluRule
from converter.rules.gelu import GeluRule
from converter.rules.hard_sigmoid import HardSigmoidRule
from converter.rules.hard_swish import HardSwishRule
from converter.rules.hard_tanh import HardTanhRule
from converter.rules.leaky_relu import LeakyReluRule
from converter.rules.mish import MishRule
from converter.rules.prelu import PReluRule
from converter.rules.relu import ReluRule
from converter.rules.selu import SeluRule
from converter.rules.sigmoid import SigmoidRule
from converter.rules.sign import SignRule
from converter.rules.silu import SiLURule
from converter.rules.softplus import SoftplusRule
from converter.rules.softsign import SoftsignRule
from converter.rules.tanh import TanhRule
from converter.rules.thresholded_relu import ThresholdedReluRule

RULES: tuple[Rule, ...] = (
    ReluRule(),
    ClipRule(),
    HardTanhRule(),
    LeakyReluRule(),
    PReluRule(),
    ThresholdedReluRule(),
    TanhRule(),
    SigmoidRule(),
    HardSigmoidRule(),
    HardSwishRule(),
    SiLURule(),
    GeluRule(),
    EluRule(),
    SeluRule(),
    CeluRule(),
    SoftplusRule(),
    SoftsignRule(),
    MishRule(),
    SignRule(),
    ElementwiseRule(),
)
"""The first that recognises a function has it."""

__all__ = [
    "FITTED",
    "RECURRENT",
    "RULES",
    "KeptAnalog",
    "Rule",
    "Site",
    "find_activations",
    "find_sites",
    "rule_of",
    "sites_in_copy",
]

RECURRENT = frozenset("LSTM GRU RNN Scan Loop".split())
_PASS_ON = frozenset(
    "GlobalMaxPool GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization Max MaxPool Min".split()
)
"""Not linear, but what goes in is what comes out, in another scale or number."""


@dataclass(frozen=True)
class KeptAnalog:
    """An activation that no neuron takes the place of.

    Attributes:
        name: of the node that makes its result.
        activation: what its rule calls it.
        reason: why it stays as it is.
    """

    name: str
    activation: str
    reason: str


def find_activations(model: ir.Model, axes: BatchAxes) -> list[tuple[ElementwiseFunction, Rule]]:
    """Every function of one signal in the main graph, in the order of the graph, with its rule."""
    return [(function, rule_of(function)) for function in find_functions(model, axes.changes)]


def rule_of(function: ElementwiseFunction) -> Rule:
    """Which activation a function is: told by the operator where that settles it, by the function's values elsewhere."""
    if len(function.nodes) == 1:
        for rule in RULES:
            if function.nodes[0].op_type in rule.op_types:
                return rule
    x = np.concatenate([NEAR, FAR])
    y = function.values(x)
    if y is None or not np.isfinite(y[: len(NEAR)]).all():
        return RULES[-1]
    return next(rule for rule in RULES if rule.has_values(x, y))


def find_sites(model: ir.Model, axes: BatchAxes) -> tuple[list[Site], list[KeptAnalog]]:
    """The activations that neurons take the place of, and the others.

    Neurons stand where there are weights behind an activation: their spikes meet synapses. The others stay analog: a Sigmoid
    or Exp at the output belongs to reading the result, a Sigmoid that gates another signal to a product, and whatever lies
    before a recurrent layer has to come whole. Where no activation has weights behind it, all that do not lie before a
    recurrent layer count.

    Raises:
        RefusedError: every activation lies before a recurrent layer.
    """
    activations = find_activations(model, axes)
    feeding, recurrent = _before_weights(model, axes), _before_recurrence(model)
    whole = {f.nodes[-1] for f, _ in activations} - recurrent
    if activations and not whole:
        node = next(node for node in reversed(list(model.graph)) if node.op_type in RECURRENT)
        raise RefusedError(
            f"{node.op_type} keeps a state of its own over a sequence, which does not come in parts; recurrent layers are not "
            "converted, and behind this one there is no activation that a neuron could replace",
            node=node.name,
        )
    taken = whole & feeding or whole
    sites, kept = [], []
    for f, rule in activations:
        last = f.nodes[-1]
        if last in taken:
            sites.append(Site(str(last.name), rule, f.x, f.y, f.nodes, channel_axis(f.y)))
            continue
        if last in recurrent:
            reason = "a recurrent layer behind it takes whole values"
        elif any(_multiplies_signals(user, axes) for user, _ in f.y.uses()):
            reason = "it gates another signal, and a product of two signals has no synapses"
        else:
            reason = "there are no weights behind it: it belongs to reading the result"
        kept.append(KeptAnalog(str(last.name), rule.activation, reason))
    return sites, kept


def _multiplies_signals(node: ir.Node, axes: BatchAxes) -> bool:
    return node.op_type == "Mul" and all(value is not None and axes.changes(value) for value in node.inputs)


def sites_in_copy(sites: Iterable[Site], model: ir.Model) -> list[Site]:
    """The same activations in a copy of their model."""
    nodes = {str(node.name): node for node in model.graph}
    values = {str(v.name): v for v in (*model.graph.inputs, *(v for n in model.graph for v in n.outputs))}
    return [site.in_copy(values, nodes) for site in sites]


def _before_recurrence(model: ir.Model) -> set[ir.Node]:
    """Nodes whose results a recurrent layer takes in, at once or later."""
    before: set[ir.Node] = set()
    for node in reversed(list(model.graph)):
        users = {user for value in node.outputs for user, _ in value.uses()}
        if any(user in before or user.op_type in RECURRENT for user in users):
            before.add(node)
    return before


def _before_weights(model: ir.Model, axes: BatchAxes) -> set[ir.Node]:
    """Nodes whose results a layer with weights takes in, after linear operations and poolings at most."""
    feeding: set[ir.Node] = set()
    for node in reversed(list(model.graph)):
        users = {user for value in node.outputs for user, _ in value.uses()}
        if any(
            has_weights(user, axes.changes)
            or (user in feeding and (user.op_type in _PASS_ON or is_linear(user, axes.changes)))
            for user in users
        ):
            feeding.add(node)
    return feeding
