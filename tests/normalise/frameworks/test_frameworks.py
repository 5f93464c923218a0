"""Keras, TensorFlow and PyTorch files are trained models too, where their frameworks are installed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from converter import RefusedError, convert, load_ann
from converter.graph.build import to_proto
from converter.graph.run import start_quietly
from converter.normalise import frameworks
from converter.normalise.frameworks.keras_files import keras_that_wrote


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


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('{"keras_version": "3.5.0"}', "3.5.0"),
        ('{"keras_version": "2.15.0.dev1"}', "2.15.0.dev1"),
        ('{"keras_version": "3.5 run this"}', ""),
        ('{"keras_version": 3}', ""),
        ("{}", ""),
        ("[", ""),
    ],
)
def test_the_keras_that_wrote_a_file(said, found, tmp_path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", said)
    assert keras_that_wrote(path) == found
    path.write_bytes(b"no archive")
    assert keras_that_wrote(path) == ""


@needs("h5py")
def test_the_keras_that_wrote_an_hdf5_file(tmp_path) -> None:
    h5py = importlib.import_module("h5py")
    for said in ("2.4.0", b"2.4.0"):
        with h5py.File(tmp_path / "m.h5", "w") as file:
            file.attrs["keras_version"] = said
        assert keras_that_wrote(tmp_path / "m.h5") == "2.4.0"


@needs("tensorflow", "tf2onnx")
def test_a_file_of_a_newer_keras(tmp_path) -> None:
    """What Keras 3 says of it, not what version 2 would; and which Keras could."""
    dense = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": 2, "novel": 1},
        "registered_name": None,
    }
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [dense]}, "registered_name": None}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "4.1.0"}')
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")
    way_out = r"export the model to ONNX with the Keras that wrote it, 4\.1\.0 \(here is [\d.]+\): model\.export.*"
    with pytest.raises(RefusedError, match=rf"m\.keras: Keras cannot export it: .*novel.*; {way_out}$"):
        load_ann(tmp_path / "m.keras")


@needs("tensorflow", "tf2onnx")
def test_what_the_exporter_says_is_passed_on(tmp_path) -> None:
    (tmp_path / "m.keras").write_bytes(b"no archive")
    with pytest.raises(RefusedError, match=r"m\.keras: Keras cannot export it: .+"):
        load_ann(tmp_path / "m.keras")


def test_missing_files_are_missing_files(tmp_path) -> None:
    with pytest.raises(RefusedError, match=r"m\.keras: there is no such file"):
        load_ann(tmp_path / "m.keras")
