"""A file of the delta code with other weights, calibrated again, against the conversion of a network that has them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.conversion.main import convert
from converter.conversion.recalibrate import recalibrated
from converter.errors import RefusedError
from converter.io.samples import Samples
from converter.io.weights import import_weights, weights_of
from tests.models import convnet, mlp, samples, save

OPTIONS = (
    {},
    {"schedule": "two-phase", "exponent": 7},
    {"analog_input": True, "exact_skips": True},
    {"streaming": True},
    {"streaming": True, "schedule": "two-phase", "exponent": 5},
)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("model", [mlp, convnet])
def test_with_its_own_weights_a_file_stays_what_it_is(model, options, tmp_path) -> None:
    made = model()
    x = samples(made)
    proto = convert(save(made, tmp_path / "m.onnx"), x, code="delta", **options).proto()
    again = recalibrated(proto, Samples({"x": x}, None))
    assert again.SerializeToString(deterministic=True) == proto.SerializeToString(deterministic=True)


@pytest.mark.parametrize("options", OPTIONS)
def test_with_other_weights_it_is_as_the_network_that_has_them(options, tmp_path) -> None:
    """Values, norms of weights, and so thresholds, resting values and exponents differ."""
    x, rng = samples(mlp()), np.random.default_rng(3)
    other = mlp()
    for tensor in other.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            onnx.numpy_helper.from_array((array * rng.uniform(0.1, 4, array.shape)).astype("f"), tensor.name)
        )
    proto, expected = (
        convert(save(model, tmp_path / "m.onnx"), x, code="delta", **options).proto() for model in (mlp(), other)
    )
    new = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in other.graph.initializer}
    found = weights_of(recalibrated(import_weights(proto, new), Samples({"x": x}, None)))
    assert found.keys() == weights_of(expected).keys()
    for name, array in weights_of(expected).items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    old = weights_of(proto)
    for name in ("a1_threshold", "a1_finest_exponent"):
        assert not np.array_equal(found[name], old[name]), name


def test_lenet5_on_samples_in_the_order_of_their_labels() -> None:
    """Of more samples than are used, all labels are."""
    folder = Path(str(resources.files("converter.demo"))) / "data"
    with np.load(folder / "mnist_test.npz") as archive:
        x, y = archive["x"].astype(np.float32) / 255, archive["y"]
    proto = convert(folder / "lenet5_relu.onnx", x[:256], code="delta").proto()
    ordered = np.argsort(y, kind="stable")
    again = weights_of(recalibrated(proto, Samples({"image": x[ordered]}, None)))
    for name, array in weights_of(proto).items():
        if name.endswith("_threshold"):
            ratio = again[name] / array
            assert 0.8 < np.median(ratio) < 1.25, name


def test_what_cannot_be_calibrated_is_refused(tmp_path) -> None:
    x = samples(mlp())
    path = save(mlp(), tmp_path / "m.onnx")
    proto = convert(path, x, code="delta").proto()
    with pytest.raises(RefusedError, match="at least 8 calibration samples"):
        recalibrated(proto, Samples({"x": x[:4]}, None))
    with pytest.raises(RefusedError, match="the calibration samples are all the same"):
        recalibrated(proto, Samples({"x": np.ones((20, 8), np.float32)}, None))
    silent = onnx.ModelProto()
    silent.CopyFrom(proto)
    del silent.metadata_props[:]
    with pytest.raises(RefusedError, match=r"do not say how it was converted to the delta code.*--code rate"):
        recalibrated(silent, Samples({"x": x}, None))
    entry = next(entry for entry in proto.metadata_props if entry.key == "onnx_snn.options")
    entry.value = entry.value.replace('"analog_input": false', '"analog_input": true')
    with pytest.raises(RefusedError, match="its neurons do not stand where a conversion puts them"):
        recalibrated(proto, Samples({"x": x}, None))
