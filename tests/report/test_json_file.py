"""JSON for other programs."""

from __future__ import annotations

import json

import pytest

from converter.errors import RefusedError
from converter.report.json_file import write_json


def test_what_is_not_finite_becomes_null(tmp_path) -> None:
    data = {"a": float("nan"), "b": [1, float("inf"), (2.5, -float("inf"))], "c": "text", "d": None, "e": {1: True}}
    write_json(data, tmp_path / "a.json")
    expected = {"a": None, "b": [1, None, [2.5, None]], "c": "text", "d": None, "e": {"1": True}}
    assert json.loads((tmp_path / "a.json").read_text()) == expected


def test_standard_output(capsys) -> None:
    write_json([1], "-")
    assert json.loads(capsys.readouterr().out) == [1]


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(RefusedError, match=r"the folder .* does not exist"):
        write_json({}, tmp_path / "missing" / "a.json")
    assert list(tmp_path.iterdir()) == []
