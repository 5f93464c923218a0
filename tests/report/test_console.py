"""The terminal: which stream, which text, how numbers look."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from converter.graph.passes import PassReport
from converter.report.console import messages, number, percent, print_passes, progress, results, table


def test_results_and_messages_have_streams_of_their_own(capsys) -> None:
    results().print("a result")
    messages().print("a message")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a result\n", "a message\n")


def test_text_from_models_is_no_markup(capsys) -> None:
    """Names of nodes and files may have brackets."""
    results().print("node [first]")
    results().print(table("title [a]", ("[b]", "n"), [("[red]cell", 1)]))
    messages().print("file [bold].onnx")
    captured = capsys.readouterr()
    for text in ("node [first]", "title [a]", "[b]", "[red]cell"):
        assert text in captured.out
    assert captured.err == "file [bold].onnx\n"


def test_tables_keep_their_width_where_there_is_no_terminal(capsys) -> None:
    results().print(table("t", ("a", "b"), [("x" * 120, 3)]))
    assert "x" * 120 in capsys.readouterr().out


WIDE = table(
    "A title that is longer than the table below it, which does not make it fold",
    ("layer", "neuron", "most spikes", "channels", "height", "error", "synaptic operations"),
    [
        ("a/long/name/of/a/layer", "MultiThreshold", 15, 400, 0.1234, "12.50 %", "1,234,567"),
        ("b", "IF", 1, "-", 0.5, "-", 7),
    ],
    left=2,
    drop=("channels", "height", "most spikes", "synaptic operations"),
)


def shown(width: int, given: Table = WIDE) -> list[str]:
    """The lines of a table in a terminal of this width."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    console.print(given)
    return console.file.getvalue().splitlines()


def left_out(lines: list[str]) -> list[str]:
    """The columns that the last line names."""
    text = " ".join(" ".join(lines).split())
    return list(filter(None, text.partition("(a wider window also shows: ")[2].rstrip(")").split(", ")))


@pytest.mark.parametrize("width", range(40, 121, 8))
def test_tables_fit_the_terminal(width) -> None:
    """No line is wider, no number is broken, and what is left out is named."""
    lines = shown(width)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    for column in WIDE.columns:
        if column.justify == "right":
            is_out = column.header in left_out(lines)
            assert all(len(cell) < 3 or (f" {cell} " in text) != is_out for cell in column.cells)


def test_the_least_important_columns_go_first() -> None:
    found = [left_out(shown(width)) for width in range(120, 39, -1)]
    assert [sorted(names) for names in found] == [sorted(WIDE.drop[: len(names)]) for names in found]
    assert (found[0], len(found[-1])) == ([], len(WIDE.drop))
    by_default = table("t", ("name", "first", "second"), [("n" * 30, "1" * 20, "2" * 20)])
    assert left_out(shown(50, by_default)) == ["second"]
    empty = table("t", ("name", "a", "b"), [("n" * 30, "1" * 9, "-")] * 2, drop=("a", "b"))
    assert left_out(shown(32, empty)) == ["b"]


def test_a_bar_is_never_broken() -> None:
    """It has no name, and is left out where there is no room for the longest."""
    bars = table(
        "t", ("layer", "", "time"), [("n" * 30, "\u2588" * 20, "1.25 ms"), ("m", "\u2588", "1 ms")], left=2, drop=("",)
    )
    assert any("\u2588" * 20 in line for line in shown(60, bars))
    assert "\u2588" not in "".join(shown(40, bars))


def test_nothing_is_left_out_where_there_is_no_terminal(capsys) -> None:
    results().print(WIDE)
    out = capsys.readouterr().out
    assert "wider window" not in out
    assert all(str(cell) in out for column in WIDE.columns for cell in column.cells)
    assert out.splitlines()[0] == WIDE.title


def test_passes(capsys) -> None:
    long = "node 'a': " + "x" * 200
    print_passes(
        [PassReport("first", (long,), ("node 'b': no",)), PassReport("second"), PassReport("third", declined=("c",))]
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "pass first: 1 changed, 1 declined",
        f"  changed   {long}",
        "  declined  node 'b': no",
        "pass second: nothing to do",
        "pass third: 1 declined",
        "  declined  c",
    ]


def test_progress_is_silent_where_there_is_no_terminal(capsys) -> None:
    with progress() as advance:
        advance("calibrating [x]", 1, 2)
        advance("calibrating [x]", 2, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(0.9912), "99.12 %"),
        (percent(0.5, 0), "50 %"),
        (percent(None), "-"),
        (number(1234567.0), "1.235e+06"),
        (number(0.25), "0.25"),
        (number(None), "-"),
    ],
)
def test_numbers(text, expected) -> None:
    assert text == expected
