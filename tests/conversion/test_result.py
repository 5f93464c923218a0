"""What a conversion gives: a model that can be saved, and figures that fit one another."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import onnx
import pytest

import snn_ops
from converter.conversion.result import Recipe, Trial
from tests.models import convert_model, convnet, mlp, samples


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("if", "percentile", "none"), "if, percentile"),
        (("if-burst", "mse", "bias"), "if-burst, mse, bias"),
        (("lif", "none", "none"), "lif"),
    ],
)
def test_a_recipe_names_what_is_done(words, text) -> None:
    assert str(Recipe(*words)) == text


def test_the_error_of_a_trial_is_the_geometric_mean() -> None:
    """A number of steps with no error at all counts as one with hardly any."""
    recipe = Recipe("if", "mse", "none")
    assert Trial(recipe, {8: 0.4, 32: 0.1, 128: 0.025}, 0.1).error == pytest.approx(0.1)
    assert Trial(recipe, {8: 0.3}, 0.1).error == pytest.approx(0.3)
    exact = Trial(recipe, {8: 0.0, 32: 0.25}, 0.1).error
    assert 0 < exact == pytest.approx(math.sqrt(1e-12 * 0.25))


def test_the_file_is_the_model(tmp_path) -> None:
    conversion, _ = convert_model(convnet(), tmp_path)
    proto, x = conversion.proto(), samples(convnet(), 5)
    onnx.checker.check_model(proto, full_check=True)
    conversion.save(tmp_path / "again.snn.onnx")
    (expected,) = snn_ops.Session(proto).run(x)
    for path in (tmp_path / "again.snn.onnx", str(tmp_path / "m.snn.onnx")):
        np.testing.assert_array_equal(snn_ops.Session(path).run(x)[0], expected)


def test_the_summary_is_json_of_what_was_done(tmp_path) -> None:
    conversion, snn = convert_model(mlp(), tmp_path, n_steps=8)
    found = json.loads(json.dumps(conversion.summary()))
    assert found["source"] == str(tmp_path / "m.onnx")
    assert found["source_sha256"] == hashlib.sha256((tmp_path / "m.onnx").read_bytes()).hexdigest()
    assert found["options"]["n_steps"] == 8
    assert [layer["name"] for layer in found["layers"]] == [n.name for n in snn.graph.node if n.op_type == "IF"]
    operations = sum(layer["synaptic_operations"] for layer in found["layers"])
    assert found["work"]["synaptic_operations"] == pytest.approx(operations)
    assert found["calibration_samples"] == len(samples(mlp())) * 7 / 8  # the others are held out
    chosen = found["trials"][-1]
    assert {name: chosen[name] for name in found["recipe"]} == found["recipe"]
    assert set(chosen) == {*found["recipe"], "errors", "spike_rate"}
