"""converter/terminal.py"""

from __future__ import annotations

import os

import pytest

from converter.terminal import without_standard_error


def test_what_is_written_past_python_goes_nowhere_and_then_is_seen_again(capfd) -> None:
    """Also where the work in between fails."""
    with pytest.raises(ZeroDivisionError), without_standard_error():
        os.write(2, b"from C++\n")
        raise ZeroDivisionError
    os.write(2, b"after it\n")
    assert capfd.readouterr().err == "after it\n"
