"""Running the command in this process, as a terminal would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from converter.cli import main
from tests.models import mlp, samples, save


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys, monkeypatch) -> Callable[..., Result]:
    def run(*arguments: object) -> Result:
        monkeypatch.setattr("sys.argv", ["onnx-snn", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a trained model, calibration samples and labelled test samples, as the current folder."""
    monkeypatch.chdir(tmp_path)
    model = mlp()
    save(model, tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "calibration.npz", x=samples(model))
    np.savez(tmp_path / "test.npz", x=samples(model, 40, seed=2), y=rng.integers(0, 4, 40))
    return tmp_path
