"""Where neurons may stand, and why an activation stays analog."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from converter.activations.sites import channel_axis, find_sites, sites_in_copy
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.graph.shapes import annotate
from tests.models import samples, save, text_model
from tests.passes import axes_of, from_text


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


@pytest.mark.parametrize(
    ("body", "axis"),
    [
        ("h = Conv(x, W)  y = Relu(h)", 1),
        ("t = Transpose<perm = [0, 2, 3, 1]>(x)  h = MatMul(t, M)  y = Relu(h)", 3),
        (
            "t = Transpose<perm = [0, 2, 3, 1]>(x)  h = MatMul(t, M)  u = Transpose<perm = [0, 3, 1, 2]>(h)  y = Relu(u)",
            1,
        ),
        ("h = Conv(x, W)  t = Transpose<perm = [0, 2, 3, 1]>(h)  y = Relu(t)", 3),
        ("t = MatMul(x, M)  h = GlobalAveragePool(t)  y = Relu(h)", 1),
        ("t = MatMul(x, M)  h = GroupNormalization<num_groups = 2>(t, ONES, ONES)  y = Relu(h)", 1),
        ("t = MatMul(x, M)  h = RMSNormalization(t, ONES)  y = Relu(h)", 3),
        ("t = MatMul(x, M)  h = Concat<axis = 1>(t, t)  y = Relu(h)", 1),
        ("h = Flatten(x)  y = Relu(h)", 1),
    ],
)
def test_where_the_channels_are(body, axis) -> None:
    model = from_text(
        f"m (float[N,4,4,4] x) => (float[] y) <float[4,4,1,1] W, float[4,4] M, float[4] ONES> {{ {body} }}", opset=23
    )
    model.graph.outputs[0].shape = None
    annotate(model, {"x": (1, 4, 4, 4)})
    assert channel_axis(model.graph.outputs[0]) == axis


def test_nothing_but_activations_before_a_recurrent_layer() -> None:
    model = from_text(
        """m (float[N,5,4] x) => (float[M,3] y) <float[1,9,4] W, float[1,9,3] R, int64[1] ZERO> {
          t = Transpose<perm = [1, 0, 2]>(x)  a = Relu(t)  [layer] z, last = GRU<hidden_size = 3>(a, W, R)
          y = Squeeze(last, ZERO) }""",
        ZERO=np.zeros(1),
    )
    with pytest.raises(
        RefusedError, match=r"node 'layer': GRU .* after this one there is no activation that a neuron could"
    ):
        find_sites(model, axes_of(model))


def test_an_activation_before_a_recurrent_layer_stays() -> None:
    model = from_text(
        """m (float[N,5,4] x) => (float[N,3] y) <float[1,9,4] W, float[1,9,3] R, float[3,3] V, int64[1] ZERO> {
          t = Transpose<perm = [1, 0, 2]>(x)  [early] a = Relu(t)  z, last = GRU<hidden_size = 3>(a, W, R)
          s = Squeeze(last, ZERO)  h = MatMul(s, V)  [late] b = Relu(h)  y = MatMul(b, V) }""",
        ZERO=np.zeros(1),
    )
    sites, kept = find_sites(model, axes_of(model))
    assert [site.name for site in sites] == ["late"]
    assert [vars(activation) for activation in kept] == [
        {"name": "early", "activation": "Relu", "reason": "a recurrent layer after it needs whole values"}
    ]


def test_the_same_sites_in_a_copy() -> None:
    model = from_text(
        "m (float[N,4] x) => (float[N,3] y) <float[4,4] W, float[4,3] V> { h = MatMul(x, W)  a = Relu(h)  y = MatMul(a, V) }"
    )
    sites, _ = find_sites(model, axes_of(model))
    copy = model.clone()
    (same,) = sites_in_copy(sites, copy)
    assert (same.name, same.activation, same.channel_axis) == ("a", sites[0].activation, 1)
    assert same.y is not sites[0].y
    assert same.y.producer() is same.nodes[-1]
    assert same.nodes[0] in set(copy.graph)
    assert same.per_channel(np.arange(4)).shape == (4,)


LAYER_NORM = """s = ReduceSum<keepdims = 1>(t, AXIS)  m = Mul(s, PART)  q = Mul(t, t)  w = ReduceSum<keepdims = 1>(q, AXIS)
  e = Mul(w, PART)  k = Mul(m, m)  d = Sub(e, k)  v = Max(d, ZERO)  g = Add(v, EPS)  [root] r = Sqrt(g)
  [inverse] i = Reciprocal(r)  j = Mul(i, SCALE)  c = Sub(t, m)  n = Mul(c, j)"""
ROOT_MEAN_SQUARE = (
    """q = Pow(t, TWO)  e = ReduceMean<keepdims = 1>(q, AXIS)  g = Add(e, EPS)  [root] r = Sqrt(g)  n = Div(t, r)"""
)
SOFTMAX = """m = ReduceMax<keepdims = 1>(t, AXIS)  d = Sub(t, m)  [exp] e = Exp(d)  s = ReduceSum<keepdims = 1>(e, AXIS)
  n = Div(e, s)"""


@pytest.mark.parametrize(
    ("norm", "layers", "inside", "reason"),
    [
        (LAYER_NORM, ["act", "last"], "inverse", "it computes a number of many values, such as their norm"),
        (ROOT_MEAN_SQUARE, ["act", "last"], "root", "it computes a number of many values, such as their norm"),
        (SOFTMAX, ["last"], "exp", "there are no weights after it: it belongs to reading the result"),
    ],
)
def test_a_norm_that_is_written_out_is_whole(norm, layers, inside, reason, tmp_path) -> None:
    """As JAX's exporters write it: neurons take the places of activations, not of its square roots and exponentials."""
    model = text_model(
        f"""m (float[N,6] x) => (float[N,3] y)
        <float[6,8] A, float[8,8] B, float[8,3] C, float[] PART, float[] ZERO, float[] EPS, float[] TWO, float[8] SCALE,
         int64[1] AXIS> {{
          a = MatMul(x, A)  [act] t = Tanh(a)  {norm}  b = MatMul(n, B)  [last] l = Tanh(b)  y = MatMul(l, C) }}""",
        AXIS=np.asarray([1]),
        PART=np.asarray(1 / 8),
        ZERO=np.asarray(0),
        EPS=np.asarray(1e-6),
        TWO=np.asarray(2),
        opset=18,
    )
    path = save(model, tmp_path / "m.onnx")
    x = samples(model)
    conversion = convert(path, x, code="rate", n_steps=64, method="percentile", percentile=100.0)
    assert [layer.name for layer in conversion.layers] == layers
    reasons = {kept.name: kept.reason for kept in conversion.kept_analog}
    assert reasons[inside] == reason
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    errors = []
    for n_steps in (2, 8, 64):
        (found,) = snn_ops.Session(conversion.proto(), n_steps=n_steps).run(x)
        errors.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    assert np.isfinite(errors).all() and errors[0] > errors[2]
    assert errors[2] < 0.03
