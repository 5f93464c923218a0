"""Names of the spiking model's inputs."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from converter.normalise.reserved_names import free_reserved_names
from tests.models import save, text_model
from tests.passes import from_text, normal, outputs


def test_names_of_the_spiking_models_inputs(tmp_path) -> None:
    """Inner values give them up; inputs and outputs cannot."""
    text = """m (float[N,4] {x}) => (float[N,3] {y}) <float[4,5] first_sample, float[5,3] B> {{
        h = MatMul({x}, first_sample)  n_steps = Relu(h)  step = Relu(n_steps)  {y} = MatMul(step, B) }}"""
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    path = save(text_model(text.format(x="x", y="y")), tmp_path / "m.onnx")
    conversion = convert(path, x, streaming=True, code="rate")
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=64).stream().run(x)
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
    for names, kind in (({"x": "n_steps", "y": "y"}, "input"), ({"x": "x", "y": "n_steps"}, "output")):
        bad = text_model(text.replace("n_steps", "a").format(**names))
        with pytest.raises(RefusedError, match=f"its {kind} 'n_steps' has the name of an input"):
            load_ann(save(bad, tmp_path / "bad.onnx"))


def test_what_is_reported() -> None:
    model = from_text(
        """m (float[N,4] x) => (float[N,3] step) <float[4,3] n_steps> {
          [first] first_sample = MatMul(x, n_steps)  step = Relu(first_sample) }"""
    )
    x = normal(2, 4)
    before = outputs(model, x=x)
    report = free_reserved_names(model)
    assert report.changed == (
        "initialiser 'n_steps': is called 'n_steps_of_model' now: the spiking model has an input of its name",
        "MatMul 'first': its result 'first_sample' has another name: the spiking model has an input of that one",
    )
    assert [value.name for value in model.graph.outputs] == ["step"]
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])
