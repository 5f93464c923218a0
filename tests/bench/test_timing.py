"""Functions whose times are planted, under a clock that only they move."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import chain, repeat

import numpy as np
import pytest

from converter.bench.timing import LEAST_RUNS, Summary, Turn, measure, turn_of, warm_up


class Machine:
    """A clock, and functions that take as long as is planted; `ran` says in which order they ran."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []

    def turn(self, name: str, seconds: Iterator[float]) -> Turn:
        def call() -> None:
            self.now += next(seconds)
            self.ran.append(name)

        return turn_of(call, lambda: self.now)


@pytest.mark.parametrize("runs", [1, 2, 7, 100, 1000])
def test_percentiles(runs) -> None:
    """Python's statistics as the judge, and what each of them is by hand for 0 ... 100."""
    times = [float(x) for x in np.random.default_rng(runs).lognormal(size=runs)]
    summary = Summary.of(times)
    assert summary.runs == runs
    cuts = statistics.quantiles(times, n=100, method="inclusive") if runs > 1 else 99 * times
    np.testing.assert_allclose(
        [summary.p10, summary.p50, summary.p90, summary.p99], [cuts[i - 1] for i in (10, 50, 90, 99)]
    )
    assert summary.median == pytest.approx(statistics.median(times))


def test_percentiles_by_hand() -> None:
    assert Summary.of([float(n) for n in reversed(range(101))]) == Summary(101, 10.0, 50.0, 90.0, 99.0)


def test_a_turn_leaves_out_the_first_of_several_runs() -> None:
    machine = Machine()
    turn = machine.turn("a", chain([9.0], repeat(1.0)))
    assert list(turn(12.0)) == [1.0, 1.0, 1.0]
    assert machine.now == 12.0


def test_a_run_that_is_longer_than_its_turn_counts() -> None:
    machine = Machine()
    assert list(machine.turn("a", repeat(5.0))(0.1)) == [5.0]
    assert machine.ran == ["a"]


@pytest.mark.parametrize(
    ("seconds", "turns"),
    [
        (repeat(0.5), 2),  # steady from the start
        (chain([2.0, 0.5, 0.25], repeat(0.24)), 4),  # until a turn is not faster by a twentieth
        (repeat(50.0), 1),  # too slow to be warmed up twice
        (chain([1.0, 0.9, 0.8, 0.7, 0.6]), 4),  # becomes faster and faster, and the time is over
    ],
)
def test_warm_up(seconds, turns) -> None:
    assert warm_up(Machine().turn("a", seconds)) == turns


def test_all_take_turns_forwards_and_backwards() -> None:
    machine = Machine()
    turns = {name: machine.turn(name, repeat(0.125)) for name in "abc"}
    notes: list[tuple[str, int, int]] = []
    found = measure(turns, seconds=0.5, rounds=4, progress=lambda *note: notes.append(note))
    assert "".join(machine.ran) == "aabbcc" + "abccbaabccba"
    assert {name: summary.runs for name, summary in found.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(summary.p10 == summary.p99 == 0.125 for summary in found.values())
    assert [done for _, done, _ in notes] == list(range(1, 16))
    assert {(what, of) for what, _, of in notes} == {("measuring", 15)}


def test_the_slow_have_enough_when_their_time_is_over() -> None:
    machine = Machine()
    found = measure(
        {"slow": machine.turn("slow", repeat(60.0)), "quick": machine.turn("quick", repeat(0.001))}, seconds=1.0
    )
    assert found["slow"].runs == LEAST_RUNS
    assert found["quick"].runs > 900
    assert found["slow"].median == pytest.approx(60.0)


def test_a_drift_of_the_machine_is_the_same_for_all() -> None:
    """The machine becomes slower all the time, by a tenth in all. One after the other, the second would seem slower by a
    twentieth."""
    machine = Machine()

    def drifting() -> Iterator[float]:
        while True:
            yield 0.01 * (1 + machine.now / 100)

    found = measure({name: machine.turn(name, drifting()) for name in "ab"}, seconds=5.0)
    assert found["a"].median == pytest.approx(found["b"].median, rel=0.01)
