"""Every command shows examples, and each of them runs as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer

from converter.commands import view
from converter.commands.app import app
from converter.commands.examples import EXAMPLES
from tests.models import mlp, samples, save

SLOW = ("bench", "train", "demo", "nengo", "verify", "--max-error", "--steps 32")
"""What stands in examples that train, or measure for seconds, or load what takes as long."""
ALL = [(name, example) for name, lines in EXAMPLES.items() for example in lines]


def commands(group: typer.Typer = app, before: str = "") -> Iterator[str]:
    """All of them, those of a group by both names."""
    for each in group.registered_commands:
        yield f"{before}{each.name}"
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from commands(inner.typer_instance, f"{inner.name} ")


def test_every_command_has_examples() -> None:
    assert set(commands()) == set(EXAMPLES)
    assert all(lines and all(line.startswith(f"onnx-snn {name}") for line in lines) for name, lines in EXAMPLES.items())


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_shows_them_and_fits_80_columns(command, name, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = command(*name.split(), "--help")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80 or any(len(line) > 76 for line in EXAMPLES[name])
    for line in EXAMPLES[name]:
        assert f"\n    {line}\n" in done.out
    assert re.search(r"^Usage: ", done.out, re.MULTILINE)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """What the examples name: a trained model and a folder of them, samples, and a spiking model with weights."""
    folder = tmp_path_factory.mktemp("examples")
    model = mlp()
    save(model, folder / "model.onnx")
    (folder / "models").mkdir()
    shutil.copy(folder / "model.onnx", folder / "models")
    labels = np.arange(128) % 4
    np.savez(folder / "samples.npz", x=samples(model, 128), y=labels)
    np.savez(folder / "test.npz", x=samples(model, 40, seed=2), y=labels[:40])
    np.savez(folder / "train.npz", x=samples(model, 128, seed=3), y=labels)
    np.savez(folder / "weights.npz", B3=np.zeros(4))
    return folder


@pytest.mark.parametrize(
    ("name", "example"),
    [
        pytest.param(*each, marks=pytest.mark.slow if any(f" {word} " in f"{each[1]} " for word in SLOW) else ())
        for each in ALL
    ],
    ids=[example for _, example in ALL],
)
def test_an_example_runs(command, workplace, monkeypatch, name, example) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(view.webbrowser, "open", lambda url: True)
    monkeypatch.setattr("converter.report.netron_view.Viewer.serve", lambda self: self.close_port())
    monkeypatch.setattr("converter.serving.local.LocalServer.run", lambda self: None)
    if "model.snn.onnx" in example and not Path("model.snn.onnx").exists():
        options = ("--neuron", "if", "--method", "percentile", "--correction", "none", "--steps", "4")
        assert command("convert", "model.onnx", "--calibration", "samples.npz", *options).code == 0
    program, *arguments = shlex.split(example)
    done = command(*arguments)
    assert (program, done.code) == ("onnx-snn", 0), done.err
    for option in ("-o", "--json", "--report", "--out"):
        if option in arguments and arguments[arguments.index(option) + 1] != "-":
            assert Path(arguments[arguments.index(option) + 1]).exists()
