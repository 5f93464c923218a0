"""onnx-snn convert: the report, choices for single layers."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from converter.commands import convert as convert_module
from converter.graph.passes import PassReport
from converter.options import Options


def test_report_names_every_layer_and_what_was_tried(command, folder) -> None:
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "--report", "r.html", "--json", "c.json")
    assert done.code == 0, done.err
    page, figures = Path("r.html").read_text(), json.loads(Path("c.json").read_text())
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 2
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
    assert json.loads(done.out)["options"] == asdict(Options())
