"""What is written from the operators' declarations and from the imports, and checked in, is what would be written now."""

from __future__ import annotations

import pytest

from tools import generate, signatures

FILES = generate.files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_is_current(path) -> None:
    assert path.read_text() == FILES[path], "run `make docs`"


def test_nothing_else_is_there() -> None:
    assert set(signatures.FOLDER.iterdir()) == set(signatures.files())
