"""In this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Maps a function over items."""

    def map(self, start: Callable[[], Callable[[Item], Result]], items: Iterable[Item]) -> Iterator[tuple[int, Result]]:
        """Calls ``start()(item)`` for each item.

        Args:
            start: called once in each process that works; what it returns keeps what is dear to make, such as a session. It
                can be pickled.
            items: they can be pickled.

        Returns:
            Index and result of each item, as they are ready. An item whose process died is worked on again, so what a
            function writes has to be the same when it is written twice.
        """


class LocalEngine:
    """One item after the other, in this process."""

    def map(self, start: Callable[[], Callable[[Item], Result]], items: Iterable[Item]) -> Iterator[tuple[int, Result]]:
        """As `Engine.map`; the results come in the order of the items, and items are taken one by one."""
        work = start()
        for index, item in enumerate(items):
            yield index, work(item)


def in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """The results in the order of their items, whatever order they come in."""
    waiting: dict[int, Result] = {}
    following = 0
    for index, result in results:
        waiting[index] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
