"""onnx-snn run: streams from file to file, outputs that are names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.models import save, text_model


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
