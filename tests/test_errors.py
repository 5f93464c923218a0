"""The line that a user reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import RefusedError, concerning
from snn_ops.format import FormatError


def test_a_line_names_the_place() -> None:
    assert str(RefusedError("two\n  lines")) == "two lines"
    assert str(RefusedError("no", file=Path("a/b.onnx"))) == "a/b.onnx: no"
    assert str(RefusedError("no", node="n\n")) == "node 'n\\n': no"
    error = RefusedError("no", file="f", node="n")
    assert str(error) == "f, node 'n': no"
    assert (error.file, error.node) == ("f", "n")


def test_what_names_no_file_concerns_this_one() -> None:
    with pytest.raises(RefusedError, match=r"^outer: node 'n': no$"), concerning("outer"):
        raise RefusedError("no", node="n")
    with pytest.raises(RefusedError, match=r"^inner: no$"), concerning("outer"):
        raise RefusedError("no", file="inner")


def test_damaged_metadata_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"^m\.onnx: metadata say nonsense$"), concerning("m.onnx"):
        raise FormatError("metadata say nonsense")


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ValueError, match=r"^other$"), concerning("outer"):
        raise ValueError("other")
