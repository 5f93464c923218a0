"""The page says what the results say, and so does the README."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import page
from benchmarks.matrix import Cell
from benchmarks.results import ELSE, MEASURED, NOT_RUN, CellResult, Results, Row, Times


def times(seconds: float, runs: int = 200) -> Times:
    return Times(runs, seconds / 2, seconds, 2 * seconds, 3 * seconds)


ROWS = (
    Row("onnx-snn", MEASURED, version="onnx-snn 9", times=times(0.002), peak_bytes=50_000_000, difference="the first"),
    Row(
        "sinabs",
        MEASURED,
        version="sinabs 3.1",
        settings={"unrolled": 4},
        times=times(0.02, 5),
        difference="outputs equal",
    ),
    Row("trained", MEASURED, target="trained", note="Relu", times=times(0.004)),
    Row("swift", MEASURED, times=times(0.001), difference="outputs equal"),
    Row("snntorch", ELSE, reason="spike counts of 3.00% of the neurons"),
    Row("norse", NOT_RUN, reason="cannot be installed: no such | thing"),
)


@pytest.fixture
def results(tmp_path):
    made = Results(tmp_path / "this-machine.json")
    made.machine = {"processor": "A processor", "cores": 2, "memory_bytes": 2**34}
    cells = [*page.CLAIMS, *(Cell("lenet-5", "if", t, 32, 2, "cpu") for t in (4, 8))]
    for cell in cells:
        made.put(CellResult(cell, ROWS, {}, 0.1, 1.0, "2026-01-01"))
    return made


def test_every_row_is_on_the_page(results) -> None:
    text = page.page([results])
    assert "| sinabs | 20 | 10 - 40 |  | 5,000 | 10 | 5 |" in text
    assert "| **swift** | 1 | 0.5 - 2 |" in text
    assert "computes something else: spike counts of 3.00% of the neurons" in text
    assert "did not run: cannot be installed: no such / thing" in text
    assert "sinabs | sinabs 3.1 | unrolled: 4" in text
    assert "A processor" in text
    assert "16 GiB" in text
    assert text.count("**lenet-5, if, T = 32, batch 1, 2 threads**") == 1


def test_p99_needs_runs_and_batch_1(results) -> None:
    one = results.cells[Cell("lenet-5", "if", 32, 1, 2, "cpu").key]
    hundred = results.cells[Cell("cnn", "if", 30, 100, 2, "cpu").key]
    assert [page.line_of(row, one)[3] for row in ROWS[:2]] == ["6", ""]
    assert page.line_of(ROWS[0], hundred)[3] == ""


def test_claims_are_ratios_of_medians(results) -> None:
    lines = page.claims([results]).splitlines()
    assert lines[2] == f"| ONNX-SNN itself |{' 2 ms |' * len(page.CLAIMS)}"
    assert f"| sinabs |{' 10 |' * len(page.CLAIMS)}" in lines
    assert f"| swift |{' 0.5 |' * len(page.CLAIMS)}" in lines
    assert not any("norse" in line for line in lines)
    first = page.CLAIMS[0].key
    results.cells[first] = replace(results.cells[first], rows=(ROWS[0], replace(ROWS[4], system="sinabs")))
    assert "| sinabs | other outputs | 10 |" in page.claims([results])


def test_only_the_lines_between_the_marks_change() -> None:
    text = f"before\n{page.BEGIN}\n\nold\n\n{page.END}\nafter\n"
    assert page.with_block(text, "new") == f"before\n{page.BEGIN}\n\nnew\n\n{page.END}\nafter\n"


def test_plots(results) -> None:
    found = dict(page.plots(results))
    assert set(found) == {"bench-this-machine-lenet-5-steps.png", "bench-this-machine-throughput.png"}
    for draw in found.values():
        picture = draw()
        assert picture.startswith(b"\x89PNG")
        assert picture == draw()


def test_the_readme_and_the_page_are_those_of_the_results() -> None:
    """Those that are committed."""
    files = sorted(page.RESULTS.glob("*.json"))
    committed = [Results(path) for path in files]
    readme = page.README.read_text()
    assert page.with_block(readme, page.claims(committed)) == readme
    assert page.page(committed) == page.PAGE.read_text()
    if committed:
        assert all((page.PICTURES / name).exists() for one in committed for name, _ in page.plots(one))
