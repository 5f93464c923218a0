"""onnx-snn run: streams from file to file, outputs that are names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from snn_ops import Session
from tests.models import save, text_model


def test_a_stream_goes_on_from_file_to_file(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--streaming", "--code", "rate")
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


def test_provider_options(command, folder) -> None:
    """They are for a GPU; what is no option is wrong usage."""
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    for words in (("run", "m.snn.onnx", "--input", "test.npz"), ("evaluate", "m.snn.onnx", "--data", "test.npz")):
        done = command(*words, "--provider-option", "use_tf32=0", "--provider-option", "device_id=1")
        assert (done.code, done.err.strip().splitlines()[-1]) == (
            1,
            "onnx-snn: m.snn.onnx: the provider 'cpu' takes no options; use_tf32, device_id is for 'cuda'",
        )
        for wrong in ("use_tf32", "=0"):
            done = command(*words, "--provider-option", wrong)
            assert done.code == 2
            assert "KEY=VALUE" in done.err
    assert command("evaluate", "m.snn.onnx", "--data", "test.npz", "--provider", "tpu").code == 1


def test_provider_options_reach_the_session(command, folder, monkeypatch) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz")
    given = []
    monkeypatch.setattr("snn_ops.session.start_session", lambda *a: given.append(a[2:]) or 1 / 0)
    for words in (("run", "m.snn.onnx", "--input", "test.npz"), ("evaluate", "m.snn.onnx", "--data", "test.npz")):
        with pytest.raises(ZeroDivisionError):
            command(*words, "--provider", "cuda", "--provider-option", "use_tf32=0", "--provider-option", "a=b=c")
    assert given == [("cuda", {"use_tf32": "0", "a": "b=c"})] * 2


def test_the_spikes_of_layers(command, folder) -> None:
    """By the names that `inspect` shows, beside the outputs; the model's file stays as it is."""
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--neuron", "if-burst", "--streaming")
    before = Path("m.snn.onnx").read_bytes()
    data = ("m.snn.onnx", "--input", "test.npz", "--steps", "9")
    layers = [layer["name"] for layer in json.loads(command("inspect", "m.snn.onnx", "--json", "-").out)["layers"]]
    done = command("run", *data, "-o", "s.npz", *(word for layer in layers for word in ("--record", layer)))
    assert done.code == 0, done.err
    assert " ".join(done.err.split()).endswith(
        "first [9, 40, 16], first.height [1, 1, 16], second [9, 40, 12], second.height [1, 1, 12]"
    )
    (y,), recording = Session("m.snn.onnx").run(np.load("test.npz")["x"], n_steps=9, record=layers)
    with np.load("s.npz") as file:
        assert file.files == ["y", "first", "first.height", "second", "second.height"]
        np.testing.assert_array_equal(file["y"], y)
        for layer in layers:
            np.testing.assert_array_equal(file[layer], recording[layer])
            np.testing.assert_array_equal(file[f"{layer}.height"], recording.heights[layer])
            assert np.count_nonzero(file[layer])
    assert Path("m.snn.onnx").read_bytes() == before
    parts = []
    for steps, states in ((4, ()), (5, ("--state-in", "state.npz"))):
        options = (
            "--steps",
            steps,
            *states,
            "--state-out",
            "state.npz",
            "--record",
            "second",
            "--record",
            "first.voltage",
        )
        assert command("run", *data[:3], "-o", "p.npz", *options).code == 0
        parts.append(dict(np.load("p.npz")))
    assert list(parts[0]) == ["y", "second", "second.height", "first.voltage"]
    np.testing.assert_array_equal(np.concatenate([part["second"] for part in parts]), recording["second"])
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith((".", "tmp"))) == []


def test_a_layer_with_the_name_of_an_output(command, folder) -> None:
    """An activation without a name of its own, at the end of the model."""
    save(
        text_model("m (float[N,8] x) => (float[N,3] y) <float[8,3] W> { h = MatMul(x, W)  y = Relu(h) }"),
        Path("o.onnx"),
    )
    assert (
        command("convert", "o.onnx", "--calibration", "calibration.npz", "--neuron", "if", "--code", "rate").code == 0
    )
    assert command("run", "o.snn.onnx", "--input", "test.npz", "-o", "s.npz", "--record", "y").code == 0
    with np.load("s.npz") as file:
        assert file.files == ["y", "y_recorded", "y_recorded.height"]
        np.testing.assert_allclose(file["y_recorded"].mean(axis=0), file["y"], atol=1e-5)


@pytest.mark.parametrize("streaming", [False, True])
def test_layers_that_cannot_be_recorded(command, folder, streaming) -> None:
    """One line, and nothing is written."""
    flags = ("--streaming",) if streaming else ()
    command("convert", "m.onnx", "--calibration", "calibration.npz", "--neuron", "if", *flags)
    files = sorted(folder.iterdir())
    states = ("--state-out", "t.npz") if streaming else ()
    data = ("run", "m.snn.onnx", "--input", "test.npz", *states)
    done = command(*data, "-o", "s.npz", "--record", "first", "--record", "third")
    assert (done.code, done.err) == (
        1,
        "onnx-snn: m.snn.onnx: there is no layer 'third' to record; the model has first, second\n",
    )
    done = command(*data, "--record", "first")
    assert done.code == 2
    assert "name the file for the spikes with -o" in " ".join(done.err.split())
    assert sorted(folder.iterdir()) == files


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process took")
def test_memory_of_a_long_recording(command, folder) -> None:
    """10,000 steps of 10,000 neurons, 0.4 GB in the file's float32, in a process of its own."""
    wide = text_model(
        """m (float[N,8] x) => (float[N,2] y) <float[8,10000] W, float[10000,2] V> {
             h = MatMul(x, W)  [act] a = Relu(h)  y = MatMul(a, V) }"""
    )
    save(wide, Path("wide.onnx"))
    command("convert", "wide.onnx", "--calibration", "calibration.npz", "--neuron", "if-burst")
    np.savez("one.npz", x=np.ones((1, 8), np.float32))
    arguments = "run wide.snn.onnx --input one.npz --steps 10000 --record act -o s.npz".split()
    code = (
        "import sys; from converter.cli import main; from converter.bench.cold_start import peak_bytes\n"
        f"sys.argv = {['onnx-snn', *arguments]}\n"
        "try:\n    main()\nfinally:\n    print(peak_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) < 1e9, done.stdout
    with np.load("s.npz") as file:
        assert file["act"].shape == (10_000, 1, 10_000)
        assert np.count_nonzero(file["act"][-1])


def test_a_library_of_others(command, folder, spiking) -> None:
    """In a process of its own: what onnxruntime-extensions knows of our Python operators stays in a process."""
    others = pytest.importorskip(
        "onnxruntime_extensions", reason="onnxruntime-extensions is not installed: extra python-ops"
    )
    model = onnx.load("m.snn.onnx")
    for node in model.graph.node:
        node.input[:] = ["positive" if name == "x" else name for name in node.input]
    first = onnx.helper.make_node("NegPos", ["x"], ["negative", "positive"], domain="ai.onnx.contrib")
    model.graph.node.insert(0, first)
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.contrib", 1))
    save(model, folder / "mixed.snn.onnx")
    x = np.load("test.npz")["x"]
    (expected,) = Session("m.snn.onnx").run(np.maximum(x, 0))
    library = f"'--library', {others.get_library_path()!r}"
    code = f"""
import sys
from converter.cli import main
for arguments in (
    ["run", "mixed.snn.onnx", "--input", "test.npz", "-o", "y.npz", {library}],
    ["evaluate", "mixed.snn.onnx", "--data", "test.npz", "--steps", "4", "--json", "e.json", {library}],
):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, arguments
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load("y.npz")["y"], expected)
    assert json.loads(Path("e.json").read_text())["work"]["spikes"] > 0
    for subcommand in (["run", "--input"], ["evaluate", "--data"]):
        result = command(subcommand[0], "mixed.snn.onnx", subcommand[1], "test.npz")
        assert (result.code, "--library PATH" in result.err) == (1, True)
        assert result.err.startswith(
            "onnx-snn: mixed.snn.onnx: Fatal error: ai.onnx.contrib:NegPos(-1) is not a registered"
        )
    for name, reason in (("lost.so", "does not exist"), ("test.npz", "is no library of operators for ONNX Runtime")):
        for subcommand in (["run", "--input"], ["evaluate", "--data"]):
            result = command(subcommand[0], "m.snn.onnx", subcommand[1], "test.npz", "--library", name)
            assert (result.code, result.out) == (1, "")
            (line,) = result.err.strip().splitlines()
            assert line.startswith("onnx-snn: ")
            assert f"{folder}/{name} {reason}" in line
