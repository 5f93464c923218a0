"""The terminal: which stream, which text, how numbers look."""

from __future__ import annotations

import pytest

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
