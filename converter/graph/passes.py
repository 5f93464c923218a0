"""Passes over a graph, and what a pass tells about itself.

A pass is a function that takes a model which its caller owns, rewrites the main graph in place and returns a `PassReport`; one
that finds values as well, such as the axes of values that it made, returns a tuple that begins with the report. It changes
nothing else that it was given and keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from converter.graph.build import name_of


@dataclass(frozen=True)
class PassReport:
    """What a pass did to a model's main graph.

    Attributes:
        name: of the pass.
        changed: a line for each change: the node, and what became of it.
        declined: a line for each place that the pass looked at and left as it is: the node, and why.
    """

    name: str
    changed: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was changed."""
        return bool(self.changed)


Pass = Callable[[ir.Model], PassReport]
"""A pass that needs nothing but the model."""


class Lines:
    """Collects the lines of a report while a pass runs.

    Args:
        name: of the pass.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed: list[str] = []
        self._declined: list[str] = []

    def changed(self, node: ir.Node | str, what: str) -> None:
        """Says what became of a node."""
        self._changed.append(f"{_called(node)}: {what}")

    def declined(self, node: ir.Node | str, why: str) -> None:
        """Says why a node is left as it is."""
        self._declined.append(f"{_called(node)}: {why}")

    def report(self) -> PassReport:
        """What was said up to now."""
        return PassReport(self._name, tuple(self._changed), tuple(self._declined))


def library_pass(name: str, rewrite: Callable[[ir.Model], object], what: str = "removed") -> Pass:
    """A pass of onnx-ir or onnxscript, which do not report: nodes that went and came tell what it did.

    Args:
        name: for the report.
        rewrite: changes the model in place.
        what: what became of nodes that are not there any more.
    """

    def run(model: ir.Model) -> PassReport:
        before = {node: (node.op_type, name_of(node)) for node in model.graph}
        rewrite(model)
        after = set(model.graph)
        gone = Counter(label for node, label in before.items() if node not in after)
        new = Counter((node.op_type, name_of(node)) for node in model.graph if node not in before)
        return PassReport(name, (*_by_type(gone - new, what), *_by_type(new - gone, "new")))

    return run


_MOST_NAMES = 3
"""In a line about nodes of one type."""


def _by_type(nodes: Counter[tuple[str, str]], what: str) -> list[str]:
    """A line for each type of operator."""
    names: dict[str, list[str]] = {}
    for op_type, name in nodes.elements():
        names.setdefault(op_type, []).append(repr(name))
    lines = []
    for op_type, of_type in names.items():
        more = f" and {len(of_type) - _MOST_NAMES} more" if len(of_type) > _MOST_NAMES else ""
        lines.append(f"{op_type} {', '.join(of_type[:_MOST_NAMES])}{more}: {what}")
    return lines


def _called(node: ir.Node | str) -> str:
    return node if isinstance(node, str) else f"{node.op_type} {name_of(node)!r}"
