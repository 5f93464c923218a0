"""The one loader behind the commands: preprocessing from the option, else from the file; doubts are said."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from PIL import Image

from converter.commands.loading import load, preprocessing
from converter.io.preprocess import Preprocessing
from converter.spiking.model import SpikingModel
from tests.models import save, text_model

SMALL = """
    small (float[N,1,4,4] x) => (float[N,3] y) <float[16,6] W, float[6] B, float[6,3] V>
    { f = Flatten(x)  h = Gemm(f, W, B)  [first] a = Relu(h)  y = MatMul(a, V) }
"""


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Folders with pictures, and m.snn.onnx that was converted from them."""
    monkeypatch.chdir(tmp_path)
    save(text_model(SMALL), "m.onnx")
    rng = np.random.default_rng(0)
    for folder in ("a", "b", "c"):
        (tmp_path / "p" / folder).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(rng.integers(0, 256, (4, 4), np.uint8)).save(f"p/{folder}/{i:02}.png")
    return tmp_path


def test_pictures_through_the_commands(command, pictures) -> None:
    """The file keeps the preprocessing; run and evaluate use it unless told otherwise."""
    words = "scale=1/255 mean=0.5 std=0.25"
    done = command("convert", "m.onnx", "--calibration", "p", "--preprocess", words)
    assert done.code == 0, done.err
    spiking = SpikingModel("m.snn.onnx")
    assert Preprocessing.read(spiking.metadata.preprocess) == Preprocessing.parse([words])
    assert -2 <= spiking.metadata.input_ranges["x"]["low"] < -1
    x = np.stack([(np.asarray(Image.open(path)) / 255 - 0.5) / 0.25 for path in sorted(pictures.glob("p/*/*.png"))])
    samples = load("p", spiking)
    np.testing.assert_allclose(samples.feed["x"][:, 0], x, atol=1e-6)
    np.testing.assert_array_equal(samples.labels, np.repeat([0, 1, 2], 12))
    np.savez("x.npz", x=samples.feed["x"])
    for data, name in (("p", "a.npz"), ("x.npz", "b.npz")):
        assert command("run", "m.snn.onnx", "--input", data, "-o", name).code == 0
    with np.load("a.npz") as one, np.load("b.npz") as other:
        np.testing.assert_array_equal(one["y"], other["y"])
    done = command("evaluate", "m.snn.onnx", "--data", "p", "--preprocess", "scale=100")
    assert done.code == 0
    assert "runs from 0 to 2.55e+04, in calibration it ran from" in done.err
    assert "note: input" not in command("evaluate", "m.snn.onnx", "--data", "p").err


def test_the_option_goes_before_the_file(command, pictures) -> None:
    assert command("convert", "m.onnx", "--calibration", "p", "--preprocess", "mean=0.5").code == 0
    spiking = SpikingModel("m.snn.onnx")
    assert preprocessing(None, spiking).mean == (0.5,)
    assert preprocessing(["mean=0.25"], spiking).mean == (0.25,)
    assert preprocessing(None) is None
    done = command("run", "m.snn.onnx", "--input", "p", "--preprocess", "mean=a")
    assert (done.code, done.err.count("\n")) == (1, 1)
    model = onnx.load("m.snn.onnx")
    next(entry for entry in model.metadata_props if entry.key == "onnx_snn.preprocess").value = '{"std": [0]}'
    onnx.save(model, "m.snn.onnx")
    done = command("run", "m.snn.onnx", "--input", "p")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("onnx-snn: m.snn.onnx: metadata: ")
