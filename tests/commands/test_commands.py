"""The commands on good input: results, files, JSON, and silence where it belongs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx

import snn_ops
from tests.models import save, text_model


def test_convert_evaluate_run_inspect(command, folder) -> None:
    done = command("convert", "m.onnx", "--calibration", "calibration.npz", "--steps", "16", "--json", "c.json")
    assert done.code == 0, done.err
    onnx.checker.check_model("m.snn.onnx")
    summary = json.loads(Path("c.json").read_text())
    assert [layer["name"] for layer in summary["layers"]] == ["first", "second"]
    assert "first" in done.out

    done = command(
        "evaluate", "m.snn.onnx", "--data", "test.npz", "--steps", "8,4", "--json", "e.json", "--picture", "e.png"
    )
    assert done.code == 0, done.err
    figures = json.loads(Path("e.json").read_text())
    assert 0 <= figures["ann"]["accuracy"] <= 1  # the trained model was found beside the spiking one
    assert [step["n_steps"] for step in figures["steps"]] == [4, 8]
    assert set(figures["steps"][0]) == {"n_steps", "accuracy", "agreement", "relative_error", "outputs"}
    assert Path("e.png").read_bytes().startswith(b"\x89PNG")

    done = command("run", "m.snn.onnx", "--input", "test.npz", "-o", "y.npz", "--steps", "4")
    assert done.code == 0, done.err
    assert done.out == ""
    x = np.load("test.npz")["x"]
    np.testing.assert_allclose(np.load("y.npz")["y"], snn_ops.Session("m.snn.onnx", n_steps=4).run(x)[0], rtol=1e-5)
    assert "largest" in command("run", "m.snn.onnx", "--input", "test.npz").out

    for model, word in (("m.snn.onnx", "threshold"), ("m.onnx", "sigma-delta")):
        done = command("inspect", model, "--json", "-")
        assert done.code == 0, done.err
        assert json.loads(done.out)["model"] == model
        assert word in done.out
        assert "first" in command("inspect", model).out


def test_evaluate_without_labels_and_without_the_trained_model(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    Path("m.onnx").rename("elsewhere.onnx")
    done = command("evaluate", "m.snn.onnx", "--data", "calibration.npz", "--json", "-")
    figures = json.loads(done.out)
    assert figures["ann"] == {"accuracy": None}
    nothing = {"accuracy": None, "agreement": None, "relative_error": None, "outputs": {}}
    assert figures["steps"][0] == {"n_steps": 4, **nothing}
    done = command("evaluate", "m.snn.onnx", "--data", "calibration.npz", "--against", "elsewhere.onnx", "--json", "-")
    assert json.loads(done.out)["steps"][-1]["agreement"] > 0.8


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


def test_portable_gives_the_same(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    results = [
        json.loads(command("evaluate", "m.snn.onnx", "--data", "test.npz", "--json", "-", *extra).out)["steps"]
        for extra in ((), ("--backend", "functions"))
    ]
    for a, b in zip(*results, strict=True):
        assert a["agreement"] == b["agreement"]


def test_a_stream_goes_on_from_file_to_file(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--streaming")
    data = ("m.snn.onnx", "--input", "test.npz")
    for steps, states in ((5, ("--state-out", "s.npz")), (11, ("--state-in", "s.npz", "--state-out", "s.npz"))):
        done = command("run", *data, "-o", "parts.npz", "--steps", steps, *states)
        assert done.code == 0, done.err
    command("run", *data, "-o", "whole.npz", "--steps", "16")
    np.testing.assert_array_equal(np.load("parts.npz")["y"], np.load("whole.npz")["y"])
    assert np.load("s.npz")["step"] == 16
    assert np.load("whole.npz").files == ["y"]  # outputs, not states
    for later in (("inspect", "m.snn.onnx"), ("evaluate", "m.snn.onnx", "--data", "test.npz")):
        assert command(*later).code == 0
    done = command("run", "m.snn.onnx", "--input", "calibration.npz", "--state-in", "s.npz")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "s.npz: the stream began with 40 samples, not 64" in done.err
    np.savez("other.npz", voltage=np.zeros(3))
    assert "no state 'first.voltage'" in command("run", *data, "--state-in", "other.npz").err
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    done = command("run", *data, "--state-out", "t.npz")
    assert done.err == (
        "onnx-snn: m.snn.onnx: this model keeps its state inside; make one with `onnx-snn convert --streaming`\n"
    )
    assert not Path("t.npz").exists()


def test_demo(command, tmp_path, monkeypatch) -> None:
    """The main job; figures as they must be on the 1,000 embedded images."""
    monkeypatch.chdir(tmp_path)
    done = command("demo", "--out", "results")
    assert done.code == 0, done.err
    figures = json.loads(Path("results/lenet5_relu.json").read_text())
    assert figures["native"]["ann"]["accuracy"] >= 0.985
    steps = {step["n_steps"]: step for step in figures["native"]["steps"]}
    assert set(steps) == {1, 2, 4, 8, 16, 32}
    assert figures["native"]["ann"]["accuracy"] - steps[32]["accuracy"] <= 0.002
    assert [s["accuracy"] for s in figures["plain"]["steps"]] == [s["accuracy"] for s in figures["native"]["steps"]]
    assert len(figures["native"]["spike_rates"]) == 4
    for suffix in ("snn.onnx", "png", "json"):
        assert Path(f"results/lenet5_relu.{suffix}").stat().st_size > 1000


def test_run_writes_and_prints_names_of_classes(folder, command) -> None:
    """As skl2onnx makes classifiers: the class first, then the probabilities."""
    model = text_model(
        """m (float[N,4] x) => (string[N] name, float[N,3] p) <float[4,3] A> {
          r = Relu(x)  h = MatMul(r, A)  p = Softmax(h)  i = ArgMax<axis = 1, keepdims = 0>(p)
          name = ai.onnx.ml.LabelEncoder<keys_int64s = [0, 1, 2], values_strings = ["a", "b", "c"]>(i) }"""
    )
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 2))
    save(model, Path("names.onnx"))
    np.savez("x.npz", x=np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32))
    assert command("convert", "names.onnx", "--calibration", "x.npz", "-o", "n.snn.onnx").code == 0
    assert command("run", "n.snn.onnx", "--input", "x.npz", "-o", "y.npz").code == 0
    y = np.load("y.npz")
    assert list(y["name"]) == ["abc"[i] for i in y["p"].argmax(axis=1)]
    assert y["name"][0] in command("run", "n.snn.onnx", "--input", "x.npz").out
