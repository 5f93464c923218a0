"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is called as work advances."""

    def __call__(self, what: str, done: int, of: int, /) -> None:
        """Notes that `done` of `of` parts are done.

        Args:
            what: the name of the work; several may go on at once.
            done: how many samples, layers or the like are done.
            of: how many there are.
        """


def silent(what: str, done: int, of: int) -> None:
    """Tells nobody."""
