"""The names of the package `converter`: imported when they are first used."""

from __future__ import annotations

import pytest

import converter
from tests.test_cli import run_without


def test_every_public_name_is_there() -> None:
    for name in converter.__all__:
        assert getattr(converter, name).__name__ == name
        assert name in dir(converter)
    with pytest.raises(AttributeError, match="module 'converter' has no attribute 'nothing'"):
        converter.nothing  # noqa: B018


def test_names_come_when_they_are_asked_for() -> None:
    code = "import converter\nassert 'numpy' not in sys.modules\nconverter.{}"
    done = run_without(("onnx",), code.format("RefusedError"))
    assert done.returncode == 0, done.stderr
    assert "No module named 'onnx'" in run_without(("onnx",), code.format("convert")).stderr
