"""Samples in another axis than the first, as recurrent layers and their states have them: they are moved to the front."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.normalise.ann import Interface, load_ann
from converter.normalise.proof import trace
from tests.models import convnet, mlp, save, text_model

WEIGHTS = (
    "<float[1,24,8] W, float[1,24,6] R, float[1,18,8] GW, float[1,18,6] GR, float[6,4] A, int64[1] ZERO, int64[1] ONE>"
)
STATE = """g = Gather<axis = 0>(h, FIRST)  k = Gather<axis = 0>(h, SECOND)  p = MatMul(x, B)  q = MatMul(g, C)  s = Add(p, q)
  r = Add(s, k)  a = Relu(r)  y = MatMul(a, A)  u = Unsqueeze(a, ZERO)  v = Unsqueeze(k, ZERO)  hn = Concat<axis = 0>(u, v)"""
STATES = "<float[8,6] B, float[6,6] C, float[6,4] A, int64[1] ZERO, int64[] FIRST, int64[] SECOND>"
MODELS = {
    "all outputs of a sequence": (
        f"(float[L,N,8] x) => (float[L,N,4] y) {WEIGHTS}",
        "z, last, c = LSTM<hidden_size = 6>(x, W, R)  s = Squeeze(z, ONE)  a = Relu(s)  y = MatMul(a, A)",
        {"x": 1, "y": 1},
    ),
    "the last output of a sequence": (
        f"(float[L,N,8] x) => (float[N,4] y) {WEIGHTS}",
        "z, last = GRU<hidden_size = 6>(x, GW, GR)  s = Squeeze(last, ZERO)  a = Relu(s)  y = MatMul(a, A)",
        {"x": 1},
    ),
    "a fixed length and batch": (
        f"(float[5,1,8] x) => (float[1,4] y) {WEIGHTS}",
        "z, last = GRU<hidden_size = 6>(x, GW, GR)  s = Squeeze(last, ZERO)  a = Relu(s)  y = MatMul(a, A)",
        {"x": 1},
    ),
    "states of a layer": (
        f"(float[N,5,8] x, float[1,N,6] h, float[1,N,6] c) => (float[N,4] y, float[1,N,6] hn, float[1,N,6] cn) {WEIGHTS}",
        """t = Transpose<perm = [1, 0, 2]>(x)  z, hn, cn = LSTM<hidden_size = 6>(t, W, R, , , h, c)  s = Squeeze(hn, ZERO)
           a = Relu(s)  y = MatMul(a, A)""",
        {"h": 1, "c": 1, "hn": 1, "cn": 1},
    ),
    "states by their name": (
        f"(float[N,8] x, float[2,N,6] h) => (float[N,4] y, float[2,N,6] hn) {STATES}",
        STATE,
        {"h": 1, "hn": 1},
    ),
    "states of one": (
        f"(float[1,8] x, float[2,1,6] h) => (float[1,4] y, float[2,1,6] hn) {STATES}",
        STATE,
        {"h": 1, "hn": 1},
    ),
}
LENGTH = 5


def model_of(name: str) -> onnx.ModelProto:
    signature, nodes, _ = MODELS[name]
    numbers = {"ZERO": np.zeros(1), "ONE": np.asarray([1]), "FIRST": np.asarray(0), "SECOND": np.asarray(1)}
    return text_model(f"m {signature} {{ {nodes} }}", **numbers)


@pytest.mark.parametrize("name", MODELS)
def test_the_spiking_model_has_them_first(name, tmp_path) -> None:
    model, axes = model_of(name), MODELS[name][2]
    path = save(model, tmp_path / "m.onnx")
    ann = load_ann(path)
    assert ann.interface.moved == axes
    rng, inputs = np.random.default_rng(0), {}
    for value in model.graph.input:
        lengths = [{"L": LENGTH, "N": 1}.get(d.dim_param, d.dim_value) for d in value.type.tensor_type.shape.dim]
        lengths.pop(axes.get(value.name, 0))
        inputs[value.name] = rng.normal(size=(24, *lengths)).astype(np.float32)
    spiking = snn_ops.Session(convert(path, inputs, code="delta", n_steps=16).proto(), n_steps=24)
    found = spiking.run(inputs)
    session = ort.InferenceSession(path)
    one_by_one = []
    for i in range(24):
        feed = {name: np.moveaxis(array[i : i + 1], 0, axes.get(name, 0)) for name, array in inputs.items()}
        one_by_one.append(session.run(None, feed))
    for y, output, *expected in zip(found, session.get_outputs(), *one_by_one, strict=True):
        wanted = np.concatenate([np.moveaxis(array, axes.get(output.name, 0), 0) for array in expected])
        assert y.shape == wanted.shape
        assert np.linalg.norm(y - wanted) < 0.02 * np.linalg.norm(wanted)


def test_what_is_moved_is_reported(tmp_path) -> None:
    ann = load_ann(save(model_of("states by their name"), tmp_path / "m.onnx"))
    (report,) = (report for report in ann.reports if report.name == "move batch")
    assert report.changed == (
        "input 'h': its samples are in axis 1; they become axis 0",
        "output 'hn': its samples are in axis 1; they become axis 0",
    )


def test_others_stay(tmp_path) -> None:
    for model in (mlp(), mlp(batch="1"), convnet()):
        ann = load_ann(save(model, tmp_path / "m.onnx"))
        assert not ann.interface.moved
        assert not next(report for report in ann.reports if report.name == "move batch")
    assert load_ann(save(mlp(batch="3"), tmp_path / "m.onnx")).interface == Interface(batch=3)


@pytest.mark.parametrize("states", ["", ", float[1,1,6] h"])
def test_a_sequence_in_axis_0_is_said_to_be_one(states, tmp_path) -> None:
    """As a detector of voices has it: all frames of one recording, and no axis for recordings. A free batch would not help."""
    given = ", , , h" if states else ""
    model = text_model(
        f"""m (float[L,8] x{states}) => (float[L,4] y) {WEIGHTS} {{
          t = Unsqueeze(x, ONE)  [memory] z, last = GRU<hidden_size = 6>(t, GW, GR{given})  s = Squeeze(z, ONE)
          f = Squeeze(s, ONE)  a = Relu(f)  y = MatMul(a, A) }}""",
        ONE=np.asarray([1]),
        ZERO=np.zeros(1),
    )
    with pytest.raises(
        RefusedError, match="node 'memory': GRU runs through the samples as if they were a sequence"
    ) as refused:
        trace(load_ann(save(model, tmp_path / "m.onnx")))
    assert "dynamic_axes" not in str(refused.value)
    assert "export the model with the batch as axis 0" in str(refused.value)
