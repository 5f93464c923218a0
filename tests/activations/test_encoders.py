"""Where the delta code's neurons stand: on every value that enters weights, whatever made it."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from converter.activations.encoders import Encoder, find_encoders
from converter.activations.sites import KeptAnalog
from converter.graph.shapes import annotate
from converter.normalise.ann import load_ann
from converter.normalise.proof import prove
from tests.models import convnet, mlp, save, text_model


def found(
    model: onnx.ModelProto, tmp_path, *, analog_input: bool = False
) -> tuple[list[Encoder], list[KeptAnalog], ir.Model]:
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    shapes = {spec.name: (2, *(n if isinstance(n, int) else 3 for n in spec.shape[1:])) for spec in ann.input_specs}
    feed = {name: np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    proven = prove(ann, feed)
    annotate(proven.model, {name: (1, *shape[1:]) for name, shape in shapes.items()})
    return *find_encoders(proven.model, proven.axes, analog_input=analog_input), proven.model


def entries(encoders: list[Encoder]) -> dict[str, list[tuple[str, int]]]:
    """The layers behind each value."""
    return {str(e.value.name): [(str(x.node.outputs[0].name), x.index) for x in e.entries] for e in encoders}


def test_mlp(tmp_path) -> None:
    encoders, kept, _ = found(mlp(), tmp_path)
    assert entries(encoders) == {"x": [("h1", 0)], "a1": [("h2", 0)], "a2": [("y", 0)]}
    assert not kept
    assert [e.channel_axis for e in encoders] == [1, 1, 1]


def test_analog_input_leaves_the_first_layer_and_says_so(tmp_path) -> None:
    encoders, kept, _ = found(mlp(), tmp_path, analog_input=True)
    assert entries(encoders).keys() == {"a1", "a2"}
    assert [(k.activation, k.reason) for k in kept] == [("Gemm", "it takes the model's input as it is, once")]


def test_a_value_behind_poolings_and_a_concatenation_is_one(tmp_path) -> None:
    """What is between the weights belongs to the target: two convolutions, then one value of both poolings."""
    encoders, _, _ = found(convnet(), tmp_path)
    assert [(e.value.name, e.channel_axis) for e in encoders] == [("x", 1), ("a1", 1), ("f", 1)]
    assert [e.is_image for e in encoders] == [False, False, False]  # two channels are no image


NORM = text_model(
    """
    norm (float[N,6] x) => (float[N,3] y)
    <float[6,6] W1, float[6,5] W2, float[5,3] W3, float[1] E, float[1] H>
    {
      a = MatMul(x, W1)
      s = Mul(a, a)
      m = ReduceMean<axes = [1], keepdims = 1>(s)
      e = Add(m, E)
      r = Sqrt(e)
      d = Div(a, r)
      b = MatMul(d, W2)
      c = Sigmoid(b)
      g = Mul(b, c)
      y = MatMul(g, W3)
    }
    """,
    opset=17,
    E=np.asarray([1e-5]),
)


def test_a_norm_in_primitives_is_a_target_not_layers(tmp_path) -> None:
    """Case 25: nothing inside the norm or the gate is a layer of neurons."""
    encoders, _, _ = found(NORM, tmp_path)
    assert entries(encoders) == {"x": [("a", 0)], "d": [("b", 0)], "g": [("y", 0)]}


ATTENTION = text_model(
    """
    attention (float[N,4,6] x) => (float[N,4,2] y)
    <float[6,6] Q, float[6,6] K, float[6,2] V>
    {
      q = MatMul(x, Q)
      k = MatMul(x, K)
      t = Transpose<perm = [0, 2, 1]>(k)
      s = MatMul(q, t)
      p = Softmax<axis = -1>(s)
      v = MatMul(x, V)
      y = MatMul(p, v)
    }
    """
)


def test_products_of_signals_take_both_operands(tmp_path) -> None:
    encoders, _, _ = found(ATTENTION, tmp_path)
    assert entries(encoders) == {
        "x": [("q", 0), ("k", 0), ("v", 0)],
        "q": [("s", 0)],
        "t": [("s", 1)],
        "p": [("y", 0)],
        "v": [("y", 1)],
    }
    by_name = {str(e.value.name): e for e in encoders}
    assert [name for name, e in by_name.items() if e.is_product] == ["q", "t", "p", "v"]
    assert by_name["t"].channel_axis == 1  # the axis that is summed over
    assert by_name["q"].channel_axis == 2


LSTM = text_model(
    """
    lstm (float[N,5,4] x) => (float[N,3] y)
    <float[1,12,4] W, float[1,12,3] R, float[3,3] V, int64[1] A>
    {
      t = Transpose<perm = [1, 0, 2]>(x)
      s, h, c = LSTM<hidden_size = 3>(t, W, R)
      l = Squeeze(h, A)
      y = MatMul(l, V)
    }
    """,
    opset=17,
    A=np.asarray([0]),
)


def test_recurrent_layers_take_spikes_and_say_what_stays(tmp_path) -> None:
    encoders, kept, _ = found(LSTM, tmp_path)
    (of_sequence,) = [e for e in encoders if e.value.name == "t"]
    assert [(x.node.op_type, x.index) for x in of_sequence.entries] == [("LSTM", 0)]
    assert [(k.activation, k.reason.split(",")[0]) for k in kept] == [
        ("LSTM", "its recurrence is computed in every step")
    ]


@pytest.mark.parametrize(("channels", "is_image"), [(1, True), (2, False), (3, True), (4, True), (5, False)])
def test_images(channels, is_image, tmp_path) -> None:
    model = text_model(
        f"""
        image (float[N,{channels},6,6] x) => (float[N,4,4,4] y) <float[4,{channels},3,3] W>
        {{ c = Conv(x, W) y = Relu(c) }}
        """
    )
    (encoder,), _, _ = found(model, tmp_path)
    assert encoder.is_image is is_image


IMAGES_ON_THE_WAY = {
    "channels last": ("float[N,6,6,3] x", "i = Transpose<perm = [0, 3, 1, 2]>(x)", "float[4,3,3,3] W", True),
    "normalised": ("float[N,3,6,6] x", "i = Sub(x, M)", "float[4,3,3,3] W, float[1,3,1,1] M", True),
    "made by weights": ("float[N,2,6,6] x", "i = Conv(x, V)", "float[3,2,1,1] V, float[4,3,3,3] W", False),
}


@pytest.mark.parametrize("way", IMAGES_ON_THE_WAY)
def test_an_image_is_what_the_first_weights_get(way, tmp_path) -> None:
    x, nodes, weights, is_image = IMAGES_ON_THE_WAY[way]
    model = text_model(
        f"""
        image ({x}) => (float[N,4,4,4] y) <{weights}>
        {{ {nodes} c = Conv(i, W) y = Relu(c) }}
        """
    )
    encoders, _, _ = found(model, tmp_path)
    assert encoders[-1].is_image is is_image
