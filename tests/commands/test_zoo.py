"""Real models through the command line. Skipped where the folder of models is not (``ONNX_SNN_MODELS``)."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from benchmarks import datasets, zoo_data

FOLDER = zoo_data.models_folder().resolve()
pytestmark = pytest.mark.skipif(
    not (FOLDER / "models.json").is_file(), reason=f"no models in {FOLDER} (ONNX_SNN_MODELS)"
)
DATA = datasets.folder().resolve()

MNIST = [
    "vnn21_mnistfc_256x4",
    "ccoltong_lenet",
    "mnist-8_cntk",
    "vnn21_verivital_mnist_convnet_avgpool",
    "vnn21_verivital_mnist_convnet_maxpool",
    "vnn21_mnist_sigmoid_6x200",
    "vnn20_mnist_tansig_200_50",
]


def embedded(which: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(str(resources.files("converter.demo") / "data" / f"mnist_{which}.npz")) as file:
        return file["x"], file["y"]


def evaluate(command, tmp_path, name, calibration, test, labels, **options):
    entry = zoo_data.entries(FOLDER)[name]
    np.savez(tmp_path / "calibration.npz", x=zoo_data.model_input(calibration, entry))
    np.savez(tmp_path / "test.npz", x=zoo_data.model_input(test, entry), y=labels)
    spiking = tmp_path / "m.snn.onnx"
    extra = [part for key, value in options.items() for part in (f"--{key}", value)]
    done = command(
        "convert", FOLDER / entry["file"], "--calibration", tmp_path / "calibration.npz", "-o", spiking, *extra
    )
    assert done.code == 0, done.err
    done = command(
        "evaluate",
        spiking,
        "--data",
        tmp_path / "test.npz",
        "--against",
        FOLDER / entry["file"],
        "--steps",
        "32",
        "--json",
        "-",
    )
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    return figures["ann"]["accuracy"], figures["steps"][0]


@pytest.mark.parametrize("neuron", ["auto", "lif"])
@pytest.mark.parametrize("name", MNIST)
def test_mnist_models_lose_at_most_a_point(command, tmp_path, name, neuron) -> None:
    """On the 1,000 embedded test images, at 32 steps."""
    test, labels = embedded("test")
    ann, step = evaluate(command, tmp_path, name, embedded("calibration")[0], test, labels, neuron=neuron)
    assert ann == pytest.approx(zoo_data.entries(FOLDER)[name]["ann_accuracy"], abs=0.02)
    assert ann - step["accuracy"] <= 0.01


@pytest.mark.skipif(
    not (DATA / "cifar10").is_dir(), reason=f"no CIFAR-10 in {DATA}; fetch it with tools/fetch_datasets.sh"
)
def test_cifar10_resnet(command, tmp_path) -> None:
    data = datasets.load("cifar10")
    ann, step = evaluate(
        command, tmp_path, "vnn21_cifar10_resnet_2b", data.x_train[:256], data.x_test[:1000], data.y_test[:1000]
    )
    assert ann == pytest.approx(0.6925, abs=0.03)
    assert ann - step["accuracy"] <= 0.03


def test_recurrent_model_is_refused_by_node(command, tmp_path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "c.npz",
        input=rng.normal(size=(3, 576)).astype("f"),
        h=np.zeros((3, 1, 128), "f"),
        c=np.zeros((3, 1, 128), "f"),
    )
    done = command(
        "convert", FOLDER / "silero_vad_16k_sequence.onnx", "--calibration", tmp_path / "c.npz", "-o", tmp_path / "m"
    )
    assert done.code == 1
    assert "silero_vad_16k_sequence.onnx" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "m").exists()
