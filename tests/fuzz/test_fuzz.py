"""Hostile input with fixed seeds, about a minute of it, and all that failed once; `make fuzz` takes other seeds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.fuzz.__main__ import CORPUS, Worker, cases
from tests.fuzz.cases import KINDS
from tests.fuzz.check import check

KEPT = sorted(path.parent for path in CORPUS.glob("*/case.json"))
SEEDS = {"operator": range(60), "metadata": range(12), "data": range(12), "checked": range(3)}
FEW = range(8)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.mark.parametrize("kind", KINDS)
def test_fixed_seeds(kind, worker) -> None:
    wrong = {seed: worker.run(case) for seed in SEEDS.get(kind, FEW) for case in cases(seed, [kind])}
    assert {seed: text for seed, text in wrong.items() if text} == {}


@pytest.mark.parametrize("folder", KEPT, ids=lambda path: path.name)
def test_what_failed_once(folder, tmp_path, monkeypatch) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    assert check(json.loads((folder / "case.json").read_text())["lines"]) == ""
