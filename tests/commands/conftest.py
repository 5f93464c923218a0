"""Running the command in this process, as a terminal would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from converter.cli import main
from snn_ops.format import PREFIX
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
    """The current folder: a trained model that is always right, calibration samples, labelled test samples, weights."""
    monkeypatch.chdir(tmp_path)
    model = mlp()
    save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "calibration.npz", x=samples(model))
    trained, x = InferenceSession(tmp_path / "m.onnx"), samples(model, 40, seed=2)
    np.savez(tmp_path / "test.npz", x=x, y=trained.run(None, {model.graph.input[0].name: x})[0].argmax(axis=1))
    np.savez(tmp_path / "weights.npz", B3=np.zeros(4))
    return tmp_path


def measurements(path: str) -> set[str]:
    """The fields of a file that were measured with its weights."""
    properties = {entry.key for entry in onnx.load(path).metadata_props}
    return properties & {f"{PREFIX}layers", f"{PREFIX}work"}


@pytest.fixture
def spiking(command, folder) -> None:
    """The trained model, converted to the rate code: m.snn.onnx."""
    assert command("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "rate").code == 0


@pytest.fixture
def change_metadata(command, folder) -> Callable[..., None]:
    """The trained model, converted: m.snn.onnx. Call it with fields of the metadata and their new text, None for none."""
    assert command("convert", "m.onnx", "--calibration", "calibration.npz", "--neuron", "if").code == 0

    def change(**fields: str | None) -> None:
        model = onnx.load("m.snn.onnx")
        properties = {entry.key: entry.value for entry in model.metadata_props}
        for name, text in fields.items():
            properties.pop(PREFIX + name, None)
            if text is not None:
                properties[PREFIX + name] = text
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, "m.snn.onnx")

    return change
