"""What `auto` measures and takes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

import snn_ops
from converter.conversion.main import convert
from converter.conversion.result import Recipe, Trial
from converter.conversion.search import _simplest
from converter.demo import demo_samples
from converter.graph.build import constant_of, operand
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN
from tests.models import convert_model, convnet, samples, text_model


def test_auto_takes_the_least_error_it_measured(tmp_path) -> None:
    conversion, _ = convert_model(convnet(), tmp_path)
    assert len(conversion.trials) >= 5
    chosen = conversion.trials[-1]
    assert chosen.recipe == conversion.recipe
    assert chosen.error <= 1.1 * min(trial.error for trial in conversion.trials)
    assert {trial.recipe.neuron for trial in conversion.trials} == {"if", "if-signed", "if-burst"}
    assert {trial.recipe.method for trial in conversion.trials} == {"percentile", "mse", "balance"}
    assert {trial.recipe.correction for trial in conversion.trials} == {"none", "bias", "potential"}


def test_an_error_that_is_not_a_number_loses() -> None:
    bad, good = (
        Trial(Recipe(name, "mse", "none"), errors, 0.1)
        for name, errors in (("if", {2: np.nan, 4: 0.1}), ("lif", {2: 9.0, 4: 9.0}))
    )
    assert bad.error == np.inf
    assert _simplest([bad, good]) is good
    assert _simplest([bad, bad]) is bad


def test_a_candidate_without_spikes_does_not_end_the_search(tmp_path) -> None:
    """Activations divided by their sum are 0 / 0 until the first spike comes."""
    model = text_model(
        """m (float[N,8] x) => (float[N,5] y) <float[8,24] A, float[24,16] B, float[16,5] C, int64[1] AXIS> {
          h = MatMul(x, A)  [first] a = Relu(h)  i = MatMul(a, B)  [second] b = Relu(i)
          s = ReduceSum(b, AXIS)  n = Div(b, s)  y = MatMul(n, C) }""",
        AXIS=np.asarray([1]),
    )
    conversion, spiking = convert_model(model, tmp_path, n_steps=2, code="rate")
    assert any(not np.isfinite(trial.error) for trial in conversion.trials)
    assert np.isfinite(conversion.trials[-1].error)
    assert np.isfinite(snn_ops.Session(spiking).run(samples(model))[0]).all()


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
