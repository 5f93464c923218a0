"""Outputs before times: what computes something else gets none, what fails leaves the others alone."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import matrix, systems
from benchmarks.harness import Harness, Settings
from benchmarks.matrix import Cell
from benchmarks.results import ELSE, MEASURED, NOT_RUN, OVER, Results, Row
from benchmarks.searches import Searches
from benchmarks.systems._own import OwnSystem
from tests.benchmarks.planted import Several

BRIEF = Settings(limit=300, seconds=0.02, rounds=2, search=0, here=True)
SMALL = Cell("mlp", "if", 4, 2, 1, "cpu")
HERE = [
    name
    for name in systems.names()
    if name.startswith(("onnx-snn", "trained", "copy")) or (name in ("nengo", "nengo-dl") and find_spec("nengo_dl"))
]
"""Systems that run in the environment of the tests."""


@pytest.mark.parametrize("cell", matrix.quick("cpu"), ids=str)
def test_the_smallest_cells(cell, tmp_path) -> None:
    """Equal outputs, and a complete table that can be read back; no word about time."""
    result = Harness(HERE, BRIEF).run(cell)
    kind = {"stream": "stream", "operator-if": "sequence"}.get(cell.workload, "network")
    assert [row.system for row in result.rows] == [name for name in HERE if meant(name, kind, cell)]
    for row in result.rows:
        assert row.state == (MEASURED if knows(row.system, cell) else NOT_RUN), (row.system, row.reason)
        if row.state == MEASURED:
            check_complete(row)
    results = Results(tmp_path / "r.json")
    results.put(result)
    assert Results(tmp_path / "r.json").cells == {cell.key: result}


def meant(name: str, kind: str, cell: Cell) -> bool:
    """A peer has a row with the reason where it lacks the equation; the delta code is for trained weights."""
    system = systems.system(name)
    fits = kind in system.kinds and "cpu" in system.providers
    if name.startswith("onnx-snn-delta"):
        fits = fits and cell.workload == "mlp"
    return fits and (system.requirements is not None or knows(name, cell))


def knows(name: str, cell: Cell) -> bool:
    return cell.equation in [equation.value for equation in systems.system(name).equations]


def check_complete(row: Row) -> None:
    assert row.reason == ""
    assert row.times.runs >= 1
    assert 0 < row.times.p10 <= row.times.p50 <= row.times.p90 <= row.times.p99
    assert row.load_seconds > 0
    assert row.first_seconds > 0
    assert row.peak_bytes > 1e6
    assert row.difference or row.target == "nothing"
    if row.system.startswith("onnx-snn") and row.file_bytes:
        assert "ONNX Runtime" in row.version
        assert row.conversion_seconds > 0


FAULTS = (
    "output",
    "one spike",
    "not a number",
    "shape",
    "a layer less",
    "cannot",
    "raises",
    "dies",
    "dies later",
    "hangs",
    "slow",
    "no counts",
)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """A cell with a system for each fault beside ours."""
    folder = tmp_path_factory.mktemp("planted")
    for fault in FAULTS:
        text = f"from tests.benchmarks.planted import Planted\nSYSTEM = Planted({fault!r})\n"
        (folder / f"planted_{fault.replace(' ', '_')}.py").write_text(text)

    def find(name: str):
        module = f"planted_{name.replace(' ', '_')}" if name in FAULTS else systems.module_of(name)
        return importlib.import_module(module).SYSTEM, module

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parents[2])]))
        patch.syspath_prepend(folder)
        return Harness([*FAULTS, "onnx-snn"], replace(BRIEF, limit=36), find).run(SMALL)


def test_what_goes_wrong_leaves_the_others_alone(spoilt) -> None:
    ours = spoilt.row("onnx-snn")
    assert ours.state == MEASURED
    check_complete(ours)


@pytest.mark.parametrize(
    ("fault", "difference"),
    [
        ("output", "outputs differ by 0.001 at most"),
        ("one spike", "spike counts of 0."),
        ("not a number", "outputs that are no numbers"),
        ("shape", "outputs of shape [10, 2] for [2, 10]"),
        ("a layer less", "no spike counts of dense1_neurons"),
    ],
)
def test_a_wrong_answer_gets_no_time(spoilt, fault, difference) -> None:
    row = spoilt.row(fault)
    assert row.state == ELSE
    assert difference in row.reason
    assert row.times is None


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ("cannot", NOT_RUN, "has no convolution"),
        ("raises", NOT_RUN, "RuntimeError: something broke"),
        ("dies", NOT_RUN, "its process ended with code 3"),
        ("dies later", NOT_RUN, "its process ended with code 4"),
        ("hangs", OVER, "over the limit of 12 s until its outputs were compared"),
        ("slow", OVER, "over the limit of 12 s for 5 runs: one takes 2.5 s"),
    ],
)
def test_what_fails_is_a_row_with_the_reason(spoilt, fault, state, reason) -> None:
    row = spoilt.row(fault)
    assert (row.state, row.times) == (state, None)
    assert row.reason.startswith(reason)


def test_without_spike_counts_the_outputs_decide(spoilt) -> None:
    row = spoilt.row("no counts")
    assert row.state == MEASURED
    assert row.difference == "outputs equal"


@pytest.fixture
def several(tmp_path, monkeypatch):
    """A harness with a system that has these ways to run."""

    def made(delays: tuple[float, ...], searches: Searches, **settings: float) -> Harness:
        text = f"from tests.benchmarks.planted import Several\nSYSTEM = Several(*{delays!r})\n"
        (tmp_path / "planted_several.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]))
        names = {"several": (Several(), "planted_several")}
        return Harness(["several"], replace(BRIEF, **settings), names.__getitem__, searches=searches)

    return made


def only_row(harness: Harness, cell: Cell = SMALL) -> Row:
    (row,) = harness.run(cell).rows
    return row


def test_a_search_serves_other_cells(several, tmp_path) -> None:
    """The fastest way is taken, in a process that tried no other; what fails is told; a file keeps it."""
    path = tmp_path / "settings" / "r.json"
    row = only_row(several((0.2, 0.0, -1.0, 0.1), Searches(path), search=60))
    assert (row.state, row.settings["delay"], row.settings["batch"]) == (MEASURED, 0.0, 2)
    assert row.settings["failed"] == "seconds -1.0: ValueError: no such way"
    assert row.search_seconds > 0
    (key,) = Searches(path).found
    assert key == "several/mlp/few/1/cpu"
    search = Searches(path).found[key]
    assert [each.setting["seconds"] for each in search.tried] == [0.2, 0.0, -1.0, 0.1]
    assert (search.n_steps, search.batch) == (16, 2)
    again = only_row(several((600.0,), Searches(path)), replace(SMALL, n_steps=8, batch=3))
    assert (again.state, again.settings["delay"], again.settings["batch"]) == (MEASURED, 0.0, 3)


def test_a_search_that_takes_too_long(several) -> None:
    """What was tried until then counts; without that it is a row."""
    row = only_row(several((0.0, 600.0), Searches(), limit=24, search=4))
    assert (row.state, row.settings["delay"]) == (MEASURED, 0.0)
    row = only_row(several((600.0,), Searches(), limit=3))
    assert (row.state, row.reason) == (OVER, "over the limit: its search was ended after 3 s before a setting had run")


def test_no_setting_is_tried_after_the_limit(several) -> None:
    searches = Searches()
    several((0.0, 0.0001, 0.0002), searches).prepare(SMALL)
    (search,) = searches.found.values()
    assert len(search.tried) == 1


def test_a_provider_that_a_system_does_not_have(tmp_path) -> None:
    """Of a peer there is a row that says so."""
    peer = OwnSystem("peer", providers=("cpu",))
    peer.requirements = tmp_path / "r.txt"
    peer.requirements.touch()
    find = {"peer": (peer, "peer"), "ours": (OwnSystem("ours", providers=("cpu",)), "ours")}
    result = Harness(["peer", "ours"], BRIEF, find.__getitem__).run(Cell("mlp", "if", 4, 1, 1, "cuda"))
    (row,) = result.rows
    assert (row.system, row.state, row.reason) == ("peer", NOT_RUN, "does not run with provider cuda here")
