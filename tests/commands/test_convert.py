"""onnx-snn convert: the report, choices for single layers."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from converter.commands import convert as convert_module
from converter.graph.passes import PassReport
from converter.options import Options
from tests.models import mlp, samples


def test_report_names_every_layer_and_what_was_tried(command, folder) -> None:
    outputs = "--report", "r.html", "--json", "c.json"
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "--code", "rate", *outputs)
    assert done.code == 0, done.err
    page, figures = Path("r.html").read_text(), json.loads(Path("c.json").read_text())
    assert page.startswith("<!doctype html>")
    for picture in ("network", "raster", "energy"):
        assert f'<div class="chart" id="{picture}">' in page
    assert [layer["name"] for layer in figures["layers"]] == ["first", "second"]
    for word in ("first", "second", "synaptic operations", "if-signed, percentile", "multiply-adds that stay analog"):
        assert word in page
    chosen = figures["trials"][-1]
    assert {key: chosen[key] for key in ("neuron", "method", "correction")} == figures["recipe"]
    assert all(0 < layer["relative_error"] < 0.1 and layer["spike_rate"] > 0 for layer in figures["layers"])
    inspected = json.loads(command("inspect", "m.snn.onnx", "--json", "-").out)
    assert inspected["layers"] == figures["layers"]
    assert inspected["work"] == figures["work"]


def test_layers_from_a_file(command, folder) -> None:
    Path("layers.toml").write_text('[layers."second"]\nneuron = "if"\n')
    options = "--neuron", "if-burst", "--layers", "layers.toml", "--json", "-"
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", *options)
    assert done.code == 0, done.err
    assert [layer["max_spikes"] for layer in json.loads(done.out)["layers"]] == [15, 1]


def test_verbose_says_what_the_passes_did(command, folder, monkeypatch) -> None:
    """On standard error, and with --json in the JSON; node names in brackets are no markup."""
    reports = (PassReport("free-batch", ("[reshape]: -1",), ("gather: two axes",)), PassReport("fold"))
    real = convert_module.convert

    def convert(*arguments, **options):
        return replace(real(*arguments, **options), reports=reports)

    monkeypatch.setattr(convert_module, "convert", convert)
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "-v", "--json", "c.json")
    assert done.code == 0, done.err
    expected = [
        "pass free-batch: 1 changed, 1 declined",
        "  changed   [reshape]: -1",
        "  declined  gather: two axes",
        "pass fold: nothing to do",
    ]
    assert done.err.splitlines()[: len(expected)] == expected
    assert json.loads(Path("c.json").read_text())["passes"] == [
        {"name": "free-batch", "changed": ["[reshape]: -1"], "declined": ["gather: two axes"]},
        {"name": "fold", "changed": [], "declined": []},
    ]
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "--json", "c.json")
    assert "pass" not in done.err
    assert "passes" not in json.loads(Path("c.json").read_text())


def test_the_options_are_those_of_the_package(command, folder) -> None:
    """Every default of the command is that of `Options`."""
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "--json", "-")
    assert json.loads(done.out)["options"] == asdict(Options().settled())


def test_a_budget_and_what_it_took(command, folder) -> None:
    np.savez("many.npz", x=samples(mlp(), 160))
    budget = ("--min-agreement", "98", "--max-energy", "60", "--report", "r.html", "--json", "c.json")
    done = command("convert", "m.onnx", "--calibration", "many.npz", *budget)
    assert done.code == 0, done.err
    front = json.loads(Path("c.json").read_text())["front"]
    taken = front["points"][front["taken"]]
    assert (front["min_agreement"], front["max_energy"]) == (0.98, 0.6)
    assert taken["agreement"] >= 0.98
    assert taken["energy_ratio"] <= 0.6
    assert "Accuracy against energy, on 70 samples" in done.out
    assert "8-bit network" in done.out
    assert "is the least that reaches 98 % agreement on 70 samples" in " ".join(done.err.split())
    assert '<div class="chart" id="front">' in Path("r.html").read_text()
    inspected = json.loads(command("inspect", "m.snn.onnx", "--json", "-").out)
    assert inspected["front"] == front
    assert "Accuracy against energy" in command("inspect", "m.snn.onnx").out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--max-energy", "0"), "max_energy is in per cent and must be above 0, it is 0"),
        (("--min-agreement", "101"), "min_agreement is in per cent and must be above 0 and at most 100, it is 101"),
        (("--max-error", "-1"), "max_error is in per cent and must be above 0, it is -1"),
        (("--min-agreement", "99", "--output", "values"), "min_agreement says nothing of outputs that are values"),
        (("--max-energy", "0.5"), "m.onnx: nothing takes at most 0.5 % of the energy; the least is delta"),
        (("--max-error", "1e-9"), "m.onnx: nothing has an error of at most 1e-09 %; the best there is: delta"),
        (("--steps", "0"), "the number of steps must be at least 1, it is 0"),
        (("--code", "delta", "--neuron", "lif"), "lif neurons have no delta code"),
    ],
)
def test_a_budget_that_nothing_meets(options, reason, command, folder) -> None:
    np.savez("many.npz", x=samples(mlp(), 160))
    before = set(folder.iterdir())
    done = command("convert", "m.onnx", "--calibration", "many.npz", *options, "--json", "c.json", "--report", "r.html")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert reason in done.err
    assert set(folder.iterdir()) == before


def test_steps_are_a_number_or_auto(command, folder) -> None:
    convert = ("convert", "m.onnx", "--calibration", "calibration.npz", "--json", "-")
    assert json.loads(command(*convert, "--steps", "3").out)["options"]["n_steps"] == 3
    assert json.loads(command(*convert, "--steps", "auto").out)["options"]["n_steps"] == 4  # 64 samples choose nothing
    assert command(*convert, "--steps", "many").code == 2
