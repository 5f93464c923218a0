"""Activation -> neuron, one rule per file. `find_sites` applies them all."""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RefusedError
from converter.linearity import has_weights, is_linear
from converter.passes.batch_axis import BatchAxes
from converter.passes.channel_axis import channel_axis
from converter.rules._functions import ElementwiseFunction, find_functions
from converter.rules._rule import Rule, Site
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
"""The first that matches a function has it."""

__all__ = ["RECURRENT", "RULES", "Rule", "Site", "find_activations", "find_sites"]

RECURRENT = frozenset("LSTM GRU RNN Scan Loop".split())
_PASS_ON = frozenset(
    "GlobalMaxPool GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization Max MaxPool Min".split()
)
"""Not linear, but what goes in is what comes out, in another scale or number."""


def find_activations(model: ir.Model, axes: BatchAxes) -> list[tuple[ElementwiseFunction, Rule]]:
    """Every function of one signal in the main graph, in the order of the graph, with its rule."""
    functions = find_functions(model, axes.changes)
    return [(function, next(rule for rule in RULES if rule.matches(function))) for function in functions]


def find_sites(model: ir.Model, axes: BatchAxes) -> list[Site]:
    """The activations that neurons take the place of: those with weights behind them, whose spikes meet synapses.

    The others stay analog: a Sigmoid or Exp at the output belongs to reading the result, a Sigmoid that gates another signal
    to a product, and whatever lies before a recurrent layer has to come whole. Where no activation has weights behind it, all
    others count.

    Raises:
        RefusedError: every activation lies before a recurrent layer.
    """
    activations = find_activations(model, axes)
    feeding, recurrent = _before_weights(model, axes), _before_recurrence(model)
    sites = [
        Site(str(f.nodes[-1].name), rule, f.x, f.y, f.nodes, channel_axis(f.y))
        for f, rule in activations
        if f.nodes[-1] not in recurrent
    ]
    if activations and not sites:
        node = next(node for node in reversed(list(model.graph)) if node.op_type in RECURRENT)
        raise RefusedError(
            f"{node.op_type} keeps a state of its own over a sequence, which does not come in parts; recurrent layers are not "
            "converted, and behind this one there is no activation that a neuron could replace",
            node=node.name,
        )
    return [site for site in sites if site.nodes[-1] in feeding] or sites


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
