"""Modules whose packages may be missing."""

from __future__ import annotations

import sys

import pytest

from converter.errors import RefusedError
from converter.io.optional import import_optional


def test_a_module_that_is_there() -> None:
    assert import_optional("converter.io.files", "convert") is sys.modules["converter.io.files"]


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch) -> None:
    (tmp_path / "needs_something.py").write_text("import a_package_that_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    expected = r"a_package_that_nobody_has is not installed; install onnx-snn\[nengo\]"
    with pytest.raises(RefusedError, match=expected):
        import_optional("needs_something", "nengo")


def test_a_missing_module_of_our_own_is_a_defect() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"converter\.nothing"):
        import_optional("converter.nothing", "nengo")
