"""The delta code's neurons in whole models, against an independent simulation: the same sums, step by step."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import snn_ops
from benchmarks import zoo_data
from converter.conversion.main import convert
from converter.conversion.prepare import prepare
from converter.conversion.result import Conversion
from converter.graph.build import constant_of, operand, to_proto
from converter.io.samples import Samples
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN
from tests.models import convnet, mlp, samples, save
from tests.neurons.delta_simulation import Numbers, simulate

STEPS = 4
MODELS = (
    "ccoltong_lenet",
    "mnist-8_cntk",
    "emclab_HAR-CNN",
    "tiny_kws_ref_model_float32",
    "tiny_pretrainedResnet",
    "tiny_ad01_fp32",
    "vnn20_mnist_tansig_200_50",
    "vnn21_cifar10_resnet_2b",
    "vnn21_marabou_cifar10_medium",
    "vnn21_mnist_sigmoid_6x200",
    "vnn23_vit_ibp_3_3_8_cifar",
    "vnn23_cgan_32_1",
)


def numbers_of(conversion: Conversion) -> dict[str, Numbers]:
    """Of every neuron, by the name of its value."""
    found = {}
    for node in conversion.model.graph:
        if node.domain == DOMAIN and node.op_type.startswith("MultiThreshold"):
            name = str(node.inputs[0].name)
            threshold, rest, finest = (
                constant_of(operand(node, what)) for what in ("threshold", "resting_value", "finest_exponent")
            )
            refinements = node.attributes["refinements"].as_int() if "refinements" in node.attributes else 0
            found[name] = Numbers(threshold, rest, finest, refinements)
    return found


def sums_and_outputs(conversion: Conversion, feed: dict[str, np.ndarray], n_steps: int) -> dict[str, np.ndarray]:
    """What each neuron of the spiking model has sent, through time, by the name of its value, and the outputs."""
    model = conversion.model.clone()
    totals = {
        f"{node.outputs[0].name}": str(node.inputs[0].name)
        for node in model.graph
        if node.domain == DOMAIN and node.op_type.startswith("MultiThreshold")
    }
    by_name = {str(value.name): value for node in model.graph for value in node.outputs}
    for name in totals:
        model.graph.outputs.append(by_name[name])
    session = snn_ops.Session(to_proto(model))
    arrays = dict(zip(session.output_names, session.run_batch(feed, n_steps), strict=True))
    return {totals.get(name, name): array for name, array in arrays.items()}


def compare(path: str | Path, x: np.ndarray, **options: object) -> None:
    """Both, on some samples that calibration has not seen."""
    ann = load_ann(path)
    conversion = convert(ann, x[:16], code="delta", **options)
    feed = {str(ann.inputs[0].name): x[16:]}
    two_phase = options.get("schedule") == "two-phase"
    n_steps = conversion.options.n_steps
    trained = prepare(ann, _samples(feed), conversion.options).trained
    trained.graph.sort()
    expected = simulate(
        to_proto(trained),
        numbers_of(conversion),
        feed,
        1 if two_phase else n_steps,
        spikes_a_step=n_steps if two_phase else 1,
        exact_skips=bool(options.get("exact_skips")),
    )
    found = sums_and_outputs(conversion, feed, n_steps)
    assert found.keys() == expected.keys()
    outputs = [str(value.name) for value in conversion.model.graph.outputs]
    for name, array in expected.items():
        if name in outputs:
            np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-4 * np.abs(array).max())
        else:
            np.testing.assert_array_equal(found[name], array.reshape(found[name].shape), err_msg=name)


def _samples(feed: dict[str, np.ndarray]) -> Samples:
    return Samples(feed, None)


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("exact_skips", [False, True])
@pytest.mark.parametrize("model", [mlp, convnet])
def test_small_networks(model, schedule, exact_skips, tmp_path) -> None:
    made = model()
    compare(save(made, tmp_path / "m.onnx"), samples(made), schedule=schedule, exact_skips=exact_skips)


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_lenet5(activation, schedule) -> None:
    folder = resources.files("converter.demo") / "data"
    with np.load(str(folder / "mnist_calibration.npz")) as file:
        x = file["x"].astype(np.float32)[:24] / 255
    compare(str(folder / f"lenet5_{activation}.onnx"), x, schedule=schedule)


@pytest.mark.skipif(not zoo_data.models_folder().exists(), reason="no folder of models (ONNX_SNN_MODELS)")
@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("name", MODELS)
def test_real_models(name, schedule) -> None:
    path = zoo_data.models_folder() / f"{name}.onnx"
    spec = load_ann(path).input_specs[0]
    shape = [length if isinstance(length, int) else 16 for length in spec.shape[1:]]
    x = np.random.default_rng(0).uniform(0, 1, (24, *shape)).astype(np.float32)
    compare(path, x, schedule=schedule)
