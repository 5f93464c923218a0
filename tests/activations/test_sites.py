"""Where neurons may stand, and why an activation stays analog."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

import snn_ops
from converter.conversion.main import convert
from tests.models import samples, save, text_model


def test_a_gate_and_an_output_stay_analog(tmp_path) -> None:
    """Squeeze and excitation, and a Sigmoid at the end: the gate's product is an island, the output is read out."""
    model = text_model(
        """m (float[N,2,6,6] x) => (float[N,3] y)
        <float[4,2,3,3] W, float[2,4,1,1] U, float[4,2,1,1] V, float[5,4,3,3] Z, float[20,3] F, int64[2] S> {
          c = Conv(x, W)  a = Relu(c)  p = GlobalAveragePool(a)  q = Conv(p, U)  s = Relu(q)  t = Conv(s, V)
          g = Sigmoid(t)  m = Mul(a, g)  d = Conv(m, Z)  e = Relu(d)  f = Reshape(e, S)  z = MatMul(f, F)  y = Sigmoid(z) }""",
        S=np.asarray([0, -1]),
        scale=0.4,
    )
    path = save(model, tmp_path / "m.onnx")
    x = samples(model)
    conversion = convert(path, x, percentile=100.0)
    assert [layer.activation for layer in conversion.layers] == ["Relu", "Relu", "Relu"]
    assert [island.op_types for island in conversion.islands] == [("Sigmoid", "Mul")]
    assert [(kept.activation, kept.reason.split(",")[0].split(":")[0]) for kept in conversion.kept_analog] == [
        ("Sigmoid", "it gates another signal"),
        ("Sigmoid", "there are no weights after it"),
    ]
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=64).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02


def test_functions_that_others_look_into_stay_whole(tmp_path) -> None:
    """The Sigmoid of x Sigmoid(x) is also used elsewhere: then it is a layer of its own and the product an island."""
    model = text_model(
        """m (float[N,6] x) => (float[N,5] y) <float[6,8] A, float[8,7] B, float[7,5] D> {
          k = MatMul(x, A)  f = Relu(k)  h = MatMul(f, B)  g = Sigmoid(h)  r = Mul(h, g)  s = Add(r, g)  y = MatMul(s, D) }"""
    )
    path = save(model, tmp_path / "m.onnx")
    x = samples(model)
    conversion = convert(path, x, percentile=100.0, n_steps=64)
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto()).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02
