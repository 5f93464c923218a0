"""What `auto` measures and takes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

import snn_ops
from converter.conversion.main import convert
from converter.demo import demo_samples
from converter.graph.build import constant_of, operand
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN
from tests.models import convert_model, convnet


def test_auto_takes_the_least_error_it_measured(tmp_path) -> None:
    conversion, _ = convert_model(convnet(), tmp_path)
    assert len(conversion.trials) >= 5
    chosen = conversion.trials[-1]
    assert chosen.recipe == conversion.recipe
    assert chosen.error <= 1.1 * min(trial.error for trial in conversion.trials)
    assert {trial.recipe.neuron for trial in conversion.trials} == {"if", "if-signed", "if-burst"}
    assert {trial.recipe.method for trial in conversion.trials} == {"percentile", "mse", "balance"}
    assert {trial.recipe.correction for trial in conversion.trials} == {"none", "bias", "potential"}


def test_the_default_before_the_delta_code_is_an_option_now(tmp_path) -> None:
    """Bit for bit on the instruction set that it was computed with; on another, to the rounding of its sums."""
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as path:
        ann = load_ann(path)
    calibration, test = (demo_samples(which, ann.input_specs) for which in ("calibration", "test"))
    conversion = convert(ann, calibration, code="rate", neuron="auto", n_steps=32)
    found = {
        f"{node.name}.threshold": constant_of(operand(node, "threshold"))
        for node in conversion.model.graph
        if node.domain == DOMAIN and node.op_type == "IF"
    }
    (found["outputs"],) = snn_ops.Session(conversion.proto()).run(test.first(16).feed)
    with np.load(Path(__file__).parents[1] / "data" / "release-0.1.0" / "lenet5_default.npz") as first:
        assert str(conversion.recipe) == str(first["recipe"])
        arrays = {name: first[name] for name in first.files if name not in ("recipe", "isa")}
        same_machine = str(first["isa"]) == snn_ops.cpu_isa()
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        if same_machine:
            np.testing.assert_array_equal(found[name], array)
        else:
            np.testing.assert_allclose(found[name], array, rtol=0.02, atol=0.02 * np.abs(array).max())
