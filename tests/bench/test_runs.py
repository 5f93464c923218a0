"""The calls that are timed give what the models give."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from converter.bench.runs import SPIKING, STREAM, TRAINED, Place, run_of
from snn_ops import Session
from tests.models import convert_model, convnet, mlp, samples, save


def test_a_call_of_the_spiking_model_is_all_its_steps(tmp_path) -> None:
    _, model = convert_model(mlp(), tmp_path)
    x = samples(mlp(), 5)
    run = run_of(Place().session(model), SPIKING, 7)
    np.testing.assert_array_equal(run({"x": x})[0], Session(model).run(x, n_steps=7)[0])


def test_calls_of_a_stream_are_its_steps(tmp_path) -> None:
    """The mean over 6 calls of a step is that of one run of 6 steps."""
    _, model = convert_model(mlp(), tmp_path, streaming=True)
    x = samples(mlp(), 5)
    run = run_of(Place(backend="functions").session(model), STREAM)
    last = [run({"x": x}) for _ in range(6)][-1][0]
    np.testing.assert_allclose(last, Session(model).run(x, n_steps=6)[0], rtol=1e-5, atol=1e-6)


def test_a_model_without_states_is_no_stream(tmp_path) -> None:
    _, model = convert_model(mlp(), tmp_path)
    with pytest.raises(ValueError, match="this model keeps its state inside"):
        run_of(Place().session(model), STREAM)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_trained_model_for_a_fixed_batch(tmp_path, count) -> None:
    """Exported for 2 samples: in pieces, the last one filled up; each sample as if it were alone."""
    one, two = convnet(), convnet()
    for value in (*two.graph.input, *two.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2
    two.graph.initializer[-1].CopyFrom(numpy_helper.from_array(np.asarray([2, 192]), "S"))
    x = samples(one, count)
    (found,) = run_of(Place().session(two, trained=True), TRAINED, fixed_batch=2)({"x": x})
    alone = ort.InferenceSession(save(one, tmp_path / "one.onnx"))
    expected = np.concatenate([alone.run(None, {"x": sample[None]})[0] for sample in x])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_trained_model_takes_the_inputs_in_their_order(tmp_path) -> None:
    """The converter may have renamed them."""
    run = run_of(Place(threads=1).session(mlp(), trained=True), TRAINED)
    x = samples(mlp(), 3)
    expected = ort.InferenceSession(save(mlp(), tmp_path / "m.onnx")).run(None, {"x": x})[0]
    np.testing.assert_array_equal(run({"renamed": x})[0], expected)
