"""tools/gpu/check_models.py on the CPU provider."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tools.gpu import check_models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    check_models.make(folder, ["lenet5.streaming"])
    return folder


def run(folder, path, monkeypatch) -> list[dict[str, object]]:
    options = ["--provider", "cpu", "--only", "lenet5.streaming", "--samples", "4", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["check_models", "--models", str(folder), *options])
    check_models.main()
    return json.loads(path.read_text())["whole_models"]


def test_on_the_cpu_nothing_differs(models, tmp_path, monkeypatch) -> None:
    rows = run(models, tmp_path / "out.json", monkeypatch)
    assert [row["check"] for row in rows] == ["against the CPU, float32", "in chunks of time"]
    assert all(row["difference"] == 0 and row["same_numbers"] == 1 and not row["wrong"] for row in rows)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found * 1.01, "difference 0.01"),
        (lambda found: np.roll(found, 1, axis=-1), "same_class 0"),
        (lambda found: found[:2], "not_run ValueError"),
        (lambda found: found * np.nan, "not_run ValueError"),
    ],
)
def test_what_is_too_far_is_wrong(change, reason, models, tmp_path, monkeypatch) -> None:
    real = check_models.in_chunks
    monkeypatch.setattr(check_models, "in_chunks", lambda *given: change(real(*given)))
    with pytest.raises(SystemExit, match=f"1 rows are wrong: .*chunks.*{reason}"):
        run(models, tmp_path / "out.json", monkeypatch)
