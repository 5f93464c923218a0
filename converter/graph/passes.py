"""What a pass over a graph tells about itself."""

from __future__ import annotations

from dataclasses import dataclass


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
