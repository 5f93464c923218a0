"""A model of an old opset computes the same in the lowest that spiking models have (tests/normalise/test_ann.py has more)."""

from __future__ import annotations

import numpy as np
import pytest

from converter.graph.passes import PassReport
from converter.normalise.raise_opset import raise_opset
from tests.passes import from_text, normal, outputs


@pytest.mark.parametrize("opset", [9, 11, 13, 17])
def test_the_same_numbers(opset) -> None:
    """Softmax had another axis by default before opset 13."""
    model = from_text("m (float[N,3,4] x) => (float[N,3,4] y) { r = Relu(x)  y = Softmax(r) }", opset=opset)
    x = normal(5, 3, 4)
    before = outputs(model, x=x)
    report = raise_opset(model)
    assert model.opset_imports[""] == 18
    assert report.changed == (f"the model: raised from opset {opset} to 18",)
    np.testing.assert_allclose(outputs(model, x=x)[0], before[0], rtol=1e-5)


def test_where_samples_lay_before_opset_11() -> None:
    model = from_text(
        'm (float[N,1,4] x) => (float[N,1,10] y) <float[3] SCALES> { [wide] y = Upsample<mode = "linear">(x, SCALES) }',
        opset=9,
        SCALES=np.asarray([1, 1, 2.5]),
    )
    x = normal(3, 1, 4)
    before = outputs(model, x=x)
    report = raise_opset(model)
    assert report.changed[0] == "the model: raised from opset 9 to 18"
    assert [line.split(": ")[1] for line in report.changed[1:]] == [
        "its coordinates are asymmetric, as they were before opset 11"
    ]
    np.testing.assert_allclose(outputs(model, x=x)[0], before[0], rtol=1e-5)


def test_a_new_opset_stays() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { y = Relu(x) }", opset=21)
    assert raise_opset(model) == PassReport("raise opset")
    assert model.opset_imports[""] == 21


@pytest.mark.parametrize("opset", [18, 20])
def test_group_normalization_had_a_scale_for_each_group(opset) -> None:
    """From opset 21 on it has one for each channel."""
    model = from_text(
        """m (float[N,6,5,4] x) => (float[N,6,5,4] y) <float[3] SCALE, float[3] BIAS> {
          [norm] n = GroupNormalization<num_groups = 3, epsilon = 0.01>(x, SCALE, BIAS)  y = Relu(n) }""",
        opset=opset,
    )
    x = normal(2, 6, 5, 4)
    groups = x.reshape(2, 3, -1)
    scale, bias = (model.graph.initializers[name].const_value.numpy().reshape(1, 3, 1) for name in ("SCALE", "BIAS"))
    centred = groups - groups.mean(axis=2, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(axis=2, keepdims=True) + 0.01) * scale + bias
    report = raise_opset(model)
    assert "GroupNormalization" not in {node.op_type for node in model.graph}
    assert [line for line in report.changed if "'norm'" in line]
    np.testing.assert_allclose(outputs(model, x=x)[0], np.maximum(expected.reshape(x.shape), 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [2.0, 3.0, 2.5, 0.4])
def test_half_pixels_of_tensorflow(scale) -> None:
    """tf2onnx writes them at opset 11; since opset 13 the name is gone."""
    model = from_text(
        """m (float[N,1,10] x) => (float[N,1,K] y) <float[0] ROI, float[3] SCALES> {
          y = Resize<mode = "nearest", coordinate_transformation_mode = "tf_half_pixel_for_nn", nearest_mode = "floor">
              (x, ROI, SCALES) }""",
        opset=11,
        SCALES=np.asarray([1, 1, scale]),
    )
    x = normal(3, 1, 10)
    before = outputs(model, x=x)
    raise_opset(model)
    assert model.graph[0].attributes["coordinate_transformation_mode"].as_string() == "half_pixel"
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])
