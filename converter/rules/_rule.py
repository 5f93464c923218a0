"""What a rule is: which function an activation is, and which neurons can take its place."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import onnx_ir as ir

FITTED = ("lif", "adaptive-lif", "izhikevich")
"""Neurons whose firing rate is fitted to the activation, by name."""
NEAR = np.linspace(-8, 8, 321)
FAR = np.concatenate([-np.logspace(5, 1, 9), np.logspace(1, 5, 9)])
"""Where functions are compared; far from 0 a Relu and a Clip differ, and an exporter's Exp may overflow."""
TOLERANCE = 2e-3
"""Exporters' approximations of Gelu differ by less from the form they approximate, other activations by more."""


@dataclass(frozen=True)
class Site:
    """An activation of a model that a rule recognised.

    Attributes:
        name: the name of the node that makes `y`; reports call the layer by it.
        rule: the rule.
        x: what goes in, `y`: what comes out.
        nodes: the nodes from `x` to `y`.
        channel_axis: the axis of `y` along which thresholds differ.
    """

    name: str
    rule: Rule
    x: ir.Value
    y: ir.Value
    nodes: tuple[ir.Node, ...]
    channel_axis: int

    def per_channel(self, values: np.ndarray) -> np.ndarray:
        """A number per channel, shaped to broadcast against ``[B, ...]``."""
        rank = len(self.y.shape) if self.y.shape is not None else 2
        return values.reshape(-1, *[1] * (rank - 1 - self.channel_axis)) if rank > 1 else values.reshape(())

    def in_copy(self, values: Mapping[str, ir.Value], nodes: Mapping[str, ir.Node]) -> Site:
        """The same activation in a copy of the model, whose values and nodes have the same names."""
        copies = tuple(nodes[str(node.name)] for node in self.nodes)
        return replace(self, x=values[str(self.x.name)], y=values[str(self.y.name)], nodes=copies)


class Rule(ABC):
    """Activation -> neuron.

    Attributes:
        activation: the name used in reports.
        op_types: the ONNX operators that are this activation, whatever their attributes.
        neurons: the neurons that can take its place, by name; the first is the default.
        saturates_at: the |x| from which the activation hardly changes, None if it goes on.
        never_decreasing: x <= x' means f(x) <= f(x').
    """

    activation: ClassVar[str]
    op_types: ClassVar[tuple[str, ...]] = ()
    neurons: ClassVar[tuple[str, ...]] = ("sigma-delta",)
    saturates_at: ClassVar[float | None] = None
    never_decreasing: ClassVar[bool] = False

    def forms(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """The activation's values at ``x``, in each form that exporters write; empty: known by its operator only."""
        return ()

    def has_values(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether ``y`` are this activation's values at ``x``, `NEAR` and `FAR`, up to a positive factor.

        A factor is allowed because the function stays in the graph in front of a neuron that tracks it.
        """
        finite = np.isfinite(y)
        x, y = x[finite], y[finite]
        for form in self.forms(x):
            near = np.abs(x) <= NEAR[-1]
            power = float((form[near] ** 2).sum())
            factor = float((form[near] * y[near]).sum()) / power if power else 0.0
            if factor > 0 and np.all(np.abs(y - factor * form) <= TOLERANCE * factor * np.maximum(1, np.abs(form))):
                return True
        return False
