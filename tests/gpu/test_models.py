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


@pytest.mark.parametrize(("digits", "factor", "is_wrong"), [(8, 1.01, False), (24, 1.01, True)])
def test_an_unsteady_network_may_differ_as_it_does_itself(
    digits, factor, is_wrong, models, tmp_path, monkeypatch
) -> None:
    """Weights of 8 bits move LeNet-5's outputs by more than half of the 1 % that they are off here; those of 24 bits do not."""
    real = check_models.in_chunks
    monkeypatch.setattr(check_models, "in_chunks", lambda *given: factor * real(*given))
    monkeypatch.setitem(check_models.DIGITS, "float32", digits)
    if is_wrong:
        with pytest.raises(SystemExit, match="1 rows are wrong"):
            run(models, tmp_path / "out.json", monkeypatch)
    else:
        (row,) = (row for row in run(models, tmp_path / "out.json", monkeypatch) if "chunks" in row["check"])
        assert row["rounded_weights"] > 0.005
