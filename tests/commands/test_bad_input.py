"""Bad input: one line that names the file and what to do, exit code 1, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.models import mlp, samples, save, text_model


def check_refused(result, *words: str) -> None:
    assert result.code == 1, result
    assert result.out == ""
    assert result.err.count("\n") == 1, result.err
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


def files() -> set[str]:
    return {path.name for path in Path().iterdir()}


def test_models(command, folder) -> None:
    Path("text.onnx").write_text("this is no model")
    Path("empty.onnx").write_bytes(b"")
    Path("cut.onnx").write_bytes(Path("m.onnx").read_bytes()[:1000])
    onnx.save(mlp(), "external.onnx", save_as_external_data=True, location="external.data", size_threshold=0)
    Path("external.data").unlink()
    unknown = mlp()
    unknown.graph.node[1].op_type = "Spike"
    save(unknown, "unknown.onnx")
    foreign = mlp()
    foreign.graph.node[1].domain = "somebody"
    foreign.opset_import.append(onnx.helper.make_opsetid("somebody", 1))
    save(foreign, "foreign.onnx")
    save(text_model("m (float[N,8] x) => (float[N,3] y) <float[8,3] W> { y = MatMul(x, W) }"), "linear.onnx")
    save(text_model("m (float[N,8] x) => (float[N,8] y) { s = Softmax<axis = 0>(x) y = Relu(s) }"), "mixed.onnx")
    before = files()
    for name, words in {
        "nowhere.onnx": ["nowhere.onnx: there is no such file"],
        "text.onnx": ["text.onnx: not an ONNX model"],
        "empty.onnx": ["empty.onnx: not an ONNX model"],
        "cut.onnx": ["cut.onnx: not an ONNX model, or the file is truncated"],
        "external.onnx": ["external.onnx: its external data cannot be read", "external.data"],
        "unknown.onnx": ["unknown.onnx", "node 'first'", "operator Spike"],
        "foreign.onnx": ["foreign.onnx", "Relu"],
        "mixed.onnx": ["mixed.onnx", "Softmax works along the axis of the samples"],
    }.items():
        check_refused(command("convert", name, "--calibration", "calibration.npz"), *words)
    rate = "--code", "rate"
    check_refused(
        command("convert", "linear.onnx", "--calibration", "calibration.npz", *rate), "linear.onnx: it has no act"
    )
    assert files() == before


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.full((4, 8), np.nan)}, "`x` holds NaN or infinity, first in sample 0"),
        ({"x": np.ones((4, 7))}, "`x` has the shape [4, 7], the model's input 'x' needs [samples, 8]"),
        ({"x": np.ones(8)}, "`x` has the shape [8]"),
        ({"x": np.zeros((0, 8))}, "`x` holds no samples"),
        ({"x": np.asarray([["a"] * 8])}, "not numbers"),
        ({}, "it holds no arrays"),
        ({"images": np.ones((4, 8))}, "it holds ['images'] but no `x`"),
        ({"x": np.ones((4, 8)), "y": np.ones(5)}, "4 samples but 5 labels"),
        ({"x": np.ones((4, 8)), "y": np.asarray(3)}, "4 samples but 1 labels"),
        ({"x": np.ones((4, 8)), "y": np.asarray(list("abcd"))}, "the labels `y` are not class numbers"),
        ({"x": np.ones((4, 8)), "y": np.asarray([0, 1, np.nan, 2])}, "the labels `y` are not class numbers"),
    ],
)
def test_samples(command, folder, arrays, words) -> None:
    np.savez("bad.npz", **arrays)
    command("convert", "m.onnx", "--calibration", "calibration.npz", "-o", "good.snn.onnx")
    before = files()
    check_refused(command("convert", "m.onnx", "--calibration", "bad.npz"), "bad.npz", words)
    check_refused(command("evaluate", "good.snn.onnx", "--data", "bad.npz"), "bad.npz", words)
    check_refused(command("run", "good.snn.onnx", "--input", "bad.npz", "-o", "y.npz"), "bad.npz", words)
    assert files() == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_samples_that_are_no_npz(command, folder, content) -> None:
    Path("bad.npz").write_bytes(content)
    check_refused(command("convert", "m.onnx", "--calibration", "bad.npz"), "bad.npz: not an .npz file")


def test_single_array_instead_of_npz(command, folder) -> None:
    np.save("bad.npy", samples(mlp()))
    (folder / "bad.npy").rename("bad.npz")
    check_refused(command("convert", "m.onnx", "--calibration", "bad.npz"), "bad.npz: not an .npz file")


def test_steps_and_folders(command, folder) -> None:
    command("convert", "m.onnx", "--calibration", "calibration.npz", "-o", "good.snn.onnx")
    before = files()
    at_least_1 = "must be at least 1, it is 0"
    check_refused(command("convert", "m.onnx", "--calibration", "calibration.npz", "--steps", "0"), at_least_1)
    check_refused(command("evaluate", "good.snn.onnx", "--data", "test.npz", "--steps", "8,0"), at_least_1)
    check_refused(command("run", "good.snn.onnx", "--input", "test.npz", "--steps", "0"), at_least_1)
    missing = "the folder missing does not exist"
    check_refused(command("convert", "m.onnx", "--calibration", "calibration.npz", "-o", "missing/m.snn.onnx"), missing)
    check_refused(command("evaluate", "good.snn.onnx", "--data", "test.npz", "--json", "missing/e.json"), missing)
    check_refused(command("evaluate", "good.snn.onnx", "--data", "test.npz", "--picture", "missing/e.png"), missing)
    check_refused(command("run", "good.snn.onnx", "--input", "test.npz", "-o", "missing/y.npz"), missing)
    check_refused(command("evaluate", "m.onnx", "--data", "test.npz"), "m.onnx: this is not a spiking model")
    check_refused(command("convert", "good.snn.onnx", "--calibration", "calibration.npz"), "already a spiking model")
    assert files() == before
