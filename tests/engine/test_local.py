"""The engine of this process, and results in their order."""

from __future__ import annotations

from converter.engine.local import LocalEngine, in_order


def test_one_start_and_items_one_by_one() -> None:
    starts, taken = [], []

    def start():
        starts.append(1)
        return lambda item: item * item

    def items():
        for item in range(4):
            taken.append(item)
            yield item

    results = LocalEngine().map(start, items())
    assert next(results) == (0, 0)
    assert taken == [0]
    assert list(results) == [(1, 1), (2, 4), (3, 9)]
    assert starts == [1]


def test_results_in_the_order_of_the_items() -> None:
    assert list(in_order(iter([(2, "c"), (0, "a"), (1, "b"), (3, "d")]))) == ["a", "b", "c", "d"]
