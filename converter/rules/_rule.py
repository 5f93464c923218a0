"""What a rule is: which nodes form an activation, and which neurons can take their place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import MatchResult, Pattern


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


class Rule(ABC):
    """Activation -> neuron.

    Attributes:
        activation: the name used in reports.
        neurons: the neurons that can take its place, by name; the first is the default.
        saturates_at: the |x| from which the activation hardly changes, None if it goes on.
    """

    activation: ClassVar[str]
    neurons: ClassVar[tuple[str, ...]]
    saturates_at: ClassVar[float | None] = None

    @abstractmethod
    def pattern(self, op: Any, x: Any) -> Any:
        """The activation's nodes, in onnxscript's pattern language."""

    def check(self, context: Any, x: ir.Value, **bindings: ir.Value) -> MatchResult:
        """Whether the neurons can take the place of this match; the failure's reason goes into the report."""
        return MatchResult()

    def match(self, model: ir.Model, node: ir.Node) -> tuple[MatchResult | None, str | None]:
        """(match, None) where the activation ends in `node`; (None, reason) where it does but `check` refuses."""
        found = Pattern(self.pattern).match(model, model.graph, node)
        if not found:
            return None, None
        checked = self.check(None, **found.bindings)
        return (found, None) if checked else (None, checked.reason)
