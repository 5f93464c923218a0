"""Quantised models, made by ONNX Runtime's own quantiser, against the float models they came from."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.graph.build import name_nodes
from converter.graph.passes import PassReport
from converter.normalise.ann import load_ann
from converter.normalise.dequantise import dequantise
from tests.models import mlp, samples, save, text_model
from tests.passes import from_text, normal, outputs

NET = text_model(
    """net (float[N,2,8,8] x) => (float[N,3] y)
    <float[4,2,3,3] W, float[4] A, float[4,4,3,3] V, float[4] B, float[4,3] Z, float[3] C> {
      c = Conv(x, W, A)  a = Relu(c)  p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
      d = Conv<pads = [1, 1, 1, 1]>(p, V, B)  s = Add(d, p)  b = Relu(s)  g = GlobalAveragePool(b)  f = Flatten(g)
      y = Gemm(f, Z, C) }""",
    scale=0.5,
)


class Reader(CalibrationDataReader):
    def __init__(self, x: np.ndarray) -> None:
        self._feeds = iter([{"x": x}])

    def get_next(self):
        return next(self._feeds, None)


def check(quantised: str, original: onnx.ModelProto, x: np.ndarray, layers: int) -> None:
    ann = load_ann(quantised)
    assert ann.quantised
    left = {node.op_type for node in ann.model.graph}
    assert not left & {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "MatMulInteger", "DynamicQuantizeLinear"}
    conversion = convert(ann, x, n_steps=64, method="percentile", percentile=100.0)
    assert [layer.activation for layer in conversion.layers] == ["Relu"] * layers
    (expected,) = ort.InferenceSession(quantised).run(None, {"x": x})
    (floats,) = ort.InferenceSession(original.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto()).run(x)
    rounding = np.linalg.norm(expected - floats)  # what quantising had cost
    assert np.linalg.norm(found - expected) < 1.5 * rounding + 0.02 * np.linalg.norm(floats)


@pytest.mark.parametrize("activation", [QuantType.QUInt8, QuantType.QInt8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qdq(activation, per_channel, tmp_path) -> None:
    """ONNX Runtime leaves the Relu out where an unsigned range cuts off what is negative."""
    x = samples(NET)
    quantize_static(
        save(NET, tmp_path / "f.onnx"),
        tmp_path / "q.onnx",
        Reader(x),
        quant_format=QuantFormat.QDQ,
        activation_type=activation,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
    )
    check(str(tmp_path / "q.onnx"), NET, x, 2)


@pytest.mark.parametrize("activation", [QuantType.QUInt16, QuantType.QInt16])
def test_16_bit(activation, tmp_path) -> None:
    """ONNX Runtime writes them with operators of its own where the opset has no such integers."""
    x = samples(NET)
    quantize_static(
        save(NET, tmp_path / "f.onnx"),
        tmp_path / "q.onnx",
        Reader(x),
        quant_format=QuantFormat.QDQ,
        activation_type=activation,
        weight_type=QuantType.QInt8,
        extra_options={"UseQDQContribOps": True},
    )
    assert {n.domain for n in onnx.load(tmp_path / "q.onnx").graph.node if n.op_type == "QuantizeLinear"} == {
        "com.microsoft"
    }
    check(str(tmp_path / "q.onnx"), NET, x, 2)


def test_dynamic(tmp_path) -> None:
    model = mlp()
    quantize_dynamic(save(model, tmp_path / "f.onnx"), tmp_path / "q.onnx", weight_type=QuantType.QInt8)
    check(str(tmp_path / "q.onnx"), model, samples(model), 2)


def test_integer_layers(tmp_path) -> None:
    """QLinearConv and QLinearMatMul, by hand; the Relu between them is in the range of uint8.

    Weights above 64 overflow the 16-bit sums of ONNX Runtime's AVX2 kernels.
    """
    rng = np.random.default_rng(0)
    x = samples(NET)
    model = text_model(
        """m (float[N,2,8,8] x) => (float[N,3] y)
        <float[] SX, int64[1] DUMMY, float[4] SW, float[] SY, float[] SZ, float[] SV> {
          q = QuantizeLinear(x, SX, ZX)  c = QLinearConv(q, SX, ZX, W, SW, ZW, SY, ZY, B)  f = Flatten(c)
          m = QLinearMatMul(f, SY, ZY, V, SV, ZV, SZ, ZX)  y = DequantizeLinear(m, SZ, ZX) }""",
        SX=np.asarray(1 / 127),
        SW=np.asarray([0.01, 0.02, 0.015, 0.01]),
        SY=np.asarray(0.1),
        SV=np.asarray(0.002),
        SZ=np.asarray(0.05),
    )
    for name, array in {
        "ZX": np.asarray(128, np.uint8),
        "ZY": np.asarray(0, np.uint8),
        "W": rng.integers(-60, 60, (4, 2, 3, 3)).astype(np.int8),
        "ZW": np.zeros(4, np.int8),
        "B": rng.integers(-500, 500, 4).astype(np.int32),
        "V": rng.integers(-60, 60, (144, 3)).astype(np.int8),
        "ZV": np.asarray(0, np.int8),
    }.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    path = save(model, tmp_path / "q.onnx")
    conversion = convert(path, x, n_steps=64, method="percentile", percentile=100.0)
    assert [layer.activation for layer in conversion.layers] == ["Relu"]
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto()).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.05


WIDE = text_model(
    """net (float[N,2,8,8] x) => (float[N,3] y)
    <float[4,2,3,3] W, float[4] A, float[4,4,3,3] V, float[4] B, float[4,4,3,3] U, float[8,3] Z, float[3] C> {
      c = Conv(x, W, A)  a = Relu(c)  d = Conv<pads = [1, 1, 1, 1]>(a, V, B)  s = Sigmoid(d)  m = Mul(a, s)
      e = Conv<pads = [1, 1, 1, 1]>(m, U, B)  b = LeakyRelu(e)  p = AveragePool<kernel_shape = [2, 2]>(b)
      q = AveragePool<kernel_shape = [2, 2]>(m)  j = Concat<axis = 1>(p, q)  g = GlobalAveragePool(j)  f = Flatten(g)
      h = Gemm(f, Z, C)  y = Softmax(h) }""",
    scale=0.5,
)


@pytest.mark.parametrize("net", [NET, WIDE], ids=["net", "wide"])
def test_operators_of_onnx_runtime(net, tmp_path) -> None:
    """The quantiser's older format writes QLinearAdd, QGemm and others of com.microsoft."""
    x = samples(net)
    reader, path = Reader(x), str(tmp_path / "q.onnx")
    quantize_static(save(net, tmp_path / "f.onnx"), path, reader, quant_format=QuantFormat.QOperator)
    assert {"QGemm", "QLinearGlobalAveragePool"} < {node.op_type for node in onnx.load(path).graph.node}
    ann = load_ann(path)
    assert not [node.op_type for node in ann.model.graph if node.op_type.startswith("Q")]
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (floats,) = ort.InferenceSession(net.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(convert(ann, x, n_steps=64, code="rate").proto()).run(x)
    rounding = np.linalg.norm(expected - floats)
    assert np.linalg.norm(found - expected) < 1.5 * rounding + 0.02 * np.linalg.norm(floats)


def test_an_operator_on_integers_without_a_rule(tmp_path) -> None:
    model = text_model(
        """m (float[N,4] x) => (float[N,4] y) <float[] S> {
          q = QuantizeLinear(x, S, ZERO)  r = Relu(x)  t = QuantizeLinear(r, S, ZERO)
          [odd] m = com.microsoft.QLinearWhere(C, q, S, ZERO, t, S, ZERO, S, ZERO)  y = DequantizeLinear(m, S, ZERO) }""",
        S=np.asarray(0.1),
    )
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    for name, array in {"ZERO": np.asarray(128, np.uint8), "C": np.ones((1, 4), bool)}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    with pytest.raises(RefusedError, match="node 'odd': there is no rule for the quantised operator QLinearWhere"):
        load_ann(save(model, tmp_path / "m.onnx"))


def test_weights_in_blocks_of_four_bits(tmp_path) -> None:
    rng = np.random.default_rng(0)
    model = text_model(
        """m (float[N,10] x) => (float[N,3] y) <float[3,16] S, float[16,3] B> {
          w = DequantizeLinear<axis = 0, block_size = 4>(Q, S)  h = MatMul(x, w)  a = Relu(h)  y = MatMul(a, B) }""",
        opset=21,
        S=rng.uniform(0.05, 0.1, (3, 16)),
    )
    numbers = rng.integers(-7, 8, 160)
    model.graph.initializer.append(onnx.helper.make_tensor("Q", onnx.TensorProto.INT4, [10, 16], numbers))
    x = rng.normal(size=(32, 10)).astype(np.float32)
    path = save(model, tmp_path / "m.onnx")
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    twice = np.concatenate([x, x])  # an eighth is held out: ranges still follow from all of x
    (found,) = snn_ops.Session(convert(path, twice, n_steps=64, code="rate").proto()).run(x)
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)


QDQ = """m (float[N,4] x) => (float[N,4] y) <float[] S> {{
  {before}  q = QuantizeLinear(h, S, ZERO)  d = DequantizeLinear(q, S, ZERO)  y = Tanh(d) }}"""


def quantised(before: str, zero: np.ndarray) -> ir.Model:
    model = text_model(QDQ.format(before=before), opset=18, S=np.asarray(0.01))
    model.graph.initializer.append(onnx.numpy_helper.from_array(zero, "ZERO"))
    named = ir.from_proto(model)
    name_nodes(named)
    return named


@pytest.mark.parametrize(
    ("before", "zero", "cuts"),
    [
        ("h = Neg(x)", np.asarray(0, np.uint8), True),
        ("h = Neg(x)", np.asarray(-128, np.int8), True),
        ("h = Neg(x)", np.asarray(3, np.uint8), False),
        ("h = Relu(x)", np.asarray(0, np.uint8), False),
        ("r = Relu(x)  s = Sigmoid(x)  h = Add(r, s)", np.asarray(0, np.uint8), False),
        ("r = Relu(x)  n = Neg(x)  h = Add(r, n)", np.asarray(0, np.uint8), True),
        ("r = Exp(x)  h = Transpose<perm = [0, 1]>(r)", np.asarray(0, np.uint8), False),
    ],
)
def test_what_quantising_cut_off(before, zero, cuts) -> None:
    """Within the range of the integers the model of floats gives what the quantised one gives, to half a step."""
    model = quantised(before, zero)
    x = normal(200, 4)
    (expected,) = outputs(model, x=x)
    report = dequantise(model)
    became = "cuts off what is negative: Relu 'q_relu'" if cuts else "lets its input through"
    assert [line for line in report.changed if "'q'" in line] == [f"QuantizeLinear 'q': {became}"]
    assert "DequantizeLinear 'd': lets its input through" in report.changed
    inside = (expected < np.tanh(1.2)) & (expected > (-1 if cuts else np.tanh(-0.02)))
    assert inside.mean() > 0.2
    np.testing.assert_allclose(outputs(model, x=x)[0][inside], expected[inside], atol=0.0051)


def test_weights_are_computed_and_layers_named() -> None:
    model = text_model(
        """m (float[N,4] x) => (float[N,3] y) <float[] S, float[3] W> {
          q, s, z = DynamicQuantizeLinear(x)  w = DequantizeLinear(Q, S)  i = MatMulInteger(q, M, z)
          f = Cast<to = 1>(i)  k = Mul(f, s)  h = MatMul(x, w)  y = Add(h, k) }""",
        opset=18,
        S=np.asarray(0.1),
    )
    for name, array in {"Q": np.ones((4, 3), np.int8), "M": np.full((4, 3), 2, np.int8)}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    model = ir.from_proto(model)
    name_nodes(model)
    x = normal(8, 4)
    (expected,) = outputs(model, x=x)
    report = dequantise(model)
    assert report.changed == (
        "DynamicQuantizeLinear 'q': works on floats",
        "MatMulInteger 'i': works on floats",
        "DequantizeLinear 'w': computed: a constant now",
    )
    np.testing.assert_allclose(outputs(model, x=x)[0], expected, atol=0.1)


def test_integers_at_the_inputs_and_outputs_stay() -> None:
    model = text_model(
        """m (int8[N,4] x) => (int8[N,4] y) <float[] S> {
          d = DequantizeLinear(x, S, ZERO)  r = Tanh(d)  y = QuantizeLinear(r, S, ZERO) }""",
        opset=18,
        S=np.asarray(0.01),
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(0, np.int8), "ZERO"))
    report = dequantise(ir.from_proto(model))
    assert report.declined == (
        "QuantizeLinear 'y': 'y' is an output of the model, of integers",
        "DequantizeLinear 'd': 'x' is an input of the model, of integers",
    )
    assert not report


def test_a_model_of_floats_stays() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    assert dequantise(model) == PassReport("dequantise")


@pytest.mark.parametrize(("mode", "cuts"), [("nearest", False), ("linear", False), ("cubic", True)])
def test_cubic_interpolation_swings_below_0(mode, cuts) -> None:
    """What an unsigned range cuts off there stays cut off."""
    model = from_text(
        f"""m (float[N,1,6,6] x) => (float[N,1,12,12] y) <float[4] SCALES, float[] STEP> {{
          r = Relu(x)  u = Resize<mode = "{mode}">(r, , SCALES)
          q = QuantizeLinear(u, STEP)  y = DequantizeLinear(q, STEP) }}""",
        SCALES=np.asarray([1, 1, 2, 2]),
        STEP=np.asarray(0.01),
    )
    x = normal(4, 1, 6, 6) / 2
    before = outputs(model, x=x)
    dequantise(model)
    assert [node.op_type for node in model.graph] == ["Relu", "Resize", *["Relu"] * cuts]
    np.testing.assert_allclose(outputs(model, x=x)[0], before[0], atol=0.006)
