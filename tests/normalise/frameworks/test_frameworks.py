"""Keras, TensorFlow and PyTorch files are trained models too, where their frameworks are installed."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from converter import RefusedError, convert, load_ann
from converter.graph.build import to_proto
from converter.graph.run import start_quietly
from converter.normalise import frameworks


def needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


KERAS = """
import os, sys
if sys.argv[1] == "tf_keras":
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
import importlib
import numpy as np
keras = importlib.import_module(sys.argv[1])
keras.utils.set_random_seed(0)
layers = keras.layers
model = keras.Sequential([
    layers.Input((8, 8, 2)), layers.Conv2D(4, 3, padding="same"), layers.ReLU(), layers.AveragePooling2D(2),
    layers.Flatten(), layers.Dense(10, activation="relu"), layers.Dense(3),
])
x = np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 2)).astype("float32")
for path in sys.argv[2:]:
    model.export(path) if path.endswith("saved") else model.save(path)
np.savez("expected.npz", x=x, y=model.predict(x, verbose=0))
"""


@needs("tensorflow", "tf2onnx", "tf_keras")
@pytest.mark.parametrize("keras", ["keras", "tf_keras"])
def test_keras(keras, tmp_path) -> None:
    """Keras 3 and 2: .keras, .h5 and a SavedModel compute in ONNX what they compute in Keras, and are converted."""
    files = ("m.keras", "m.h5", "saved") if keras == "keras" else ("m.keras",)
    subprocess.run([sys.executable, "-c", KERAS, keras, *files], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "expected.npz") as archive:
        x, expected = archive["x"], archive["y"]
    for file in files:
        ann = load_ann(tmp_path / file, trust=file == "saved")
        assert len(ann.sha256) == 64
        (found,) = start_quietly(to_proto(ann.model)).run(None, {ann.inputs[0].name: x})
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    conversion = convert(ann, x, neuron="if-burst")
    assert [layer.neuron for layer in conversion.layers] == ["IF", "IF"]


@needs("torch")
def test_torch(tmp_path) -> None:
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 3)).eval()
    x = torch.rand(16, 2, 8, 8)
    expected = model(x).detach().numpy()
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, tmp_path / "m.pt2")
    torch.jit.trace(model, x).save(tmp_path / "m.pt")
    for path, shape in ((tmp_path / "m.pt2", None), (tmp_path / "m.pt", (2, 8, 8))):
        ann = load_ann(path, sample_shape=shape, trust=True)
        (found,) = start_quietly(to_proto(ann.model)).run(None, {ann.inputs[0].name: x.numpy()})
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert len(convert(ann, x.numpy(), neuron="if").layers) == 1
    with pytest.raises(RefusedError, match=r"m\.pt: TorchScript does not say the shape of its input"):
        load_ann(tmp_path / "m.pt")


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.pt2", "m.pt", "saved"])
def test_without_the_framework_one_line_says_so(name, tmp_path, monkeypatch) -> None:
    path = tmp_path / name
    if name == "saved":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"")
    else:
        path.write_bytes(b"")
    monkeypatch.setattr(frameworks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        RefusedError, match=r"needs (tensorflow and tf2onnx|torch); install .*, or export the model to ONNX"
    ):
        load_ann(path)


@needs("tensorflow", "tf2onnx")
def test_what_the_exporter_says_is_passed_on(tmp_path) -> None:
    (tmp_path / "m.keras").write_bytes(b"no archive")
    with pytest.raises(RefusedError, match=r"m\.keras: Keras cannot export it: .+"):
        load_ann(tmp_path / "m.keras")


def test_missing_files_are_missing_files(tmp_path) -> None:
    with pytest.raises(RefusedError, match=r"m\.keras: there is no such file"):
        load_ann(tmp_path / "m.keras")
