"""Every activation as exporters write it is recognised, converted, and computes what the trained model does."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

import snn_ops
from converter.activations.known import ACTIVATIONS, ANY_FUNCTION, find_activations
from converter.conversion.main import convert
from converter.normalise.ann import load_ann
from converter.normalise.proof import trace
from tests.models import samples, save, text_model

SCALARS = """float[1] SIX, float[] HALF, float[] ONE, float[] THREE, float[1] ZERO, float[1] SLOPE, float[] ROOT2, float[] CUBE,
float[] ROOT2PI, float[] QUICK, float[] SIXTH, float[] MINUS, float[] FORTY"""


VALUES = {
    "SIX": 6, "HALF": 0.5, "ONE": 1, "THREE": 3, "ZERO": 0, "SLOPE": 0.1, "ROOT2": 1.41421356, "CUBE": 0.044715,
    "ROOT2PI": 0.7978845608, "QUICK": 1.702, "SIXTH": 1 / 6, "MINUS": -1, "FORTY": 40,
}  # fmt: skip


FORMS = {
    "Relu, native": ("Relu", "r = Relu(h)"),
    "Relu, Max with 0": ("Relu", "r = Max(h, ZERO)"),
    "Relu, Clip without end": ("Relu", "r = Clip(h, ZERO)"),
    "Relu, Where": ("Relu", "p = Greater(h, ZERO)  r = Where(p, h, ZERO)"),
    "Clip, PyTorch ReLU6": ("Clip", "r = Clip(h, ZERO, SIX)"),
    "Clip, TensorFlow relu6": ("Clip", "p = Relu(h)  r = Min(p, SIX)"),
    "Clip, far away": ("Clip", "r = Clip(h, ZERO, FORTY)"),
    "HardTanh": ("HardTanh", "r = Clip(h, MINUS, ONE)"),
    "HardTanh, Max of Min": ("HardTanh", "p = Min(h, ONE)  r = Max(p, MINUS)"),
    "LeakyRelu, native": ("LeakyRelu", "r = LeakyRelu<alpha = 0.1>(h)"),
    "LeakyRelu, CNTK and TensorFlow": ("LeakyRelu", "p = Mul(h, SLOPE)  r = Max(h, p)"),
    "LeakyRelu, Where": ("LeakyRelu", "q = Greater(h, ZERO)  p = Mul(h, SLOPE)  r = Where(q, h, p)"),
    "LeakyRelu, Keras PReLU": (
        "LeakyRelu", "p = Relu(h)  m = Neg(h)  q = Relu(m)  n = Neg(q)  s = Mul(n, SLOPE)  d = Add(p, s)  r = Identity(d)",
    ),
    "PRelu": ("PRelu", "r = PRelu(h, S)"),
    "ThresholdedRelu, native": ("ThresholdedRelu", "r = ThresholdedRelu<alpha = 0.7>(h)"),
    "ThresholdedRelu, in pieces": ("ThresholdedRelu", "p = Greater(h, HALF)  q = Cast<to = 1>(p)  r = Mul(h, q)"),
    "Tanh": ("Tanh", "r = Tanh(h)"),
    "Sigmoid, native": ("Sigmoid", "r = Sigmoid(h)"),
    "Sigmoid, in pieces": ("Sigmoid", "n = Neg(h)  e = Exp(n)  d = Add(e, ONE)  r = Reciprocal(d)"),
    "HardSigmoid, native": ("HardSigmoid", "r = HardSigmoid<alpha = 0.2, beta = 0.5>(h)"),
    "Clip, PyTorch's HardSigmoid": ("Clip", "p = Add(h, THREE)  q = Clip(p, ZERO, SIX)  r = Div(q, SIX)"),
    "HardSwish, native": ("HardSwish", "r = HardSwish(h)"),
    "HardSwish, two operators": ("HardSwish", "g = HardSigmoid<alpha = 0.16666667, beta = 0.5>(h)  r = Mul(h, g)"),
    "HardSwish, Paddle": ("HardSwish", "p = Add(h, THREE)  q = Clip(p, ZERO, SIX)  m = Mul(h, q)  r = Div(m, SIX)"),
    "HardSwish, Keras": ("HardSwish", "p = Add(h, THREE)  q = Clip(p, ZERO, SIX)  g = Mul(q, SIXTH)  r = Mul(g, h)"),
    "SiLU": ("SiLU", "g = Sigmoid(h)  r = Mul(h, g)"),
    "SiLU, the other way round": ("SiLU", "g = Sigmoid(h)  r = Mul(g, h)"),
    "Gelu, PyTorch": ("Gelu", "d = Div(h, ROOT2)  e = Erf(d)  a = Add(e, ONE)  m = Mul(h, a)  r = Mul(m, HALF)"),
    "Gelu, TensorFlow": ("Gelu", "d = Div(h, ROOT2)  e = Erf(d)  a = Add(ONE, e)  m = Mul(HALF, h)  r = Mul(m, a)"),
    "Gelu, tanh": (
        "Gelu",
        """p = Pow(h, THREE)  c = Mul(p, CUBE)  s = Add(h, c)  t = Mul(s, ROOT2PI)  u = Tanh(t)  a = Add(u, ONE)
           m = Mul(h, HALF)  r = Mul(m, a)""",
    ),
    "Gelu, quick": ("Gelu", "q = Mul(h, QUICK)  g = Sigmoid(q)  r = Mul(h, g)"),
    "Gelu, native": ("Gelu", "r = Gelu(h)"),
    "Gelu, native, tanh": ("Gelu", 'r = Gelu<approximate = "tanh">(h)'),
    "Elu": ("Elu", "r = Elu<alpha = 0.8>(h)"),
    "Elu, in pieces": ("Elu", "p = Greater(h, ZERO)  e = Exp(h)  m = Sub(e, ONE)  r = Where(p, h, m)"),
    "Selu": ("Selu", "r = Selu(h)"),
    "Celu": ("Celu", "r = Celu<alpha = 2.0>(h)"),
    "Softplus, native": ("Softplus", "r = Softplus(h)"),
    "Softplus, in pieces": ("Softplus", "e = Exp(h)  a = Add(e, ONE)  r = Log(a)"),
    "Softsign, native": ("Softsign", "r = Softsign(h)"),
    "Softsign, in pieces": ("Softsign", "a = Abs(h)  b = Add(a, ONE)  r = Div(h, b)"),
    "Mish, native": ("Mish", "r = Mish(h)"),
    "Mish, in pieces": ("Mish", "s = Softplus(h)  t = Tanh(s)  r = Mul(h, t)"),
    "Sign": ("Sign", "r = Sign(h)"),
    "Function, sine": ("Function", "r = Sin(h)"),
    "Function, square": ("Function", "r = Mul(h, h)"),
}  # fmt: skip


def model_with(form: str):
    return text_model(
        f"""m (float[N,6] x) => (float[N,5] y)
        <float[6,8] A, float[8,7] B, float[7] C, float[7,5] D, float[7] S, {SCALARS}> {{
          k = MatMul(x, A)  first = Relu(k)  h = Gemm(first, B, C)  {FORMS[form][1]}  y = MatMul(r, D) }}""",
        opset=20 if form.startswith("Gelu, native") else 18,
        S=np.linspace(0.05, 0.4, 7),
        **{name: np.asarray(value) for name, value in VALUES.items()},
    )


def test_every_rule_is_tested() -> None:
    assert {activation.name for activation in (*ACTIVATIONS, ANY_FUNCTION)} == {name for name, _ in FORMS.values()}


@pytest.mark.parametrize("form", FORMS)
def test_recognised_and_converted(form, tmp_path) -> None:
    model = model_with(form)
    path = save(model, tmp_path / "m.onnx")
    ann = load_ann(path)
    trained = trace(ann)
    found = [activation.name for _, activation in find_activations(trained.model, trained.axes)]
    if form == "LeakyRelu, Keras PReLU":  # a sum of two functions: each of them is a layer
        assert found == ["Relu", "Relu", "Relu"]
    else:
        assert found == ["Relu", FORMS[form][0]]
    x = samples(model)
    conversion = convert(
        path, x, n_steps=64, method="percentile", percentile=100.0, correction="none", neuron="if-burst"
    )
    assert len(conversion.layers) == len(found)
    assert not conversion.islands
    (expected,) = ort.InferenceSession(path).run(None, {"x": x})
    (got,) = snn_ops.Session(conversion.proto()).run(x)
    most = 0.35 if form == "Sign" else 0.02  # Sign jumps where x is about 0
    assert np.linalg.norm(got - expected) / np.linalg.norm(expected) < most
    two_phase = convert(
        path,
        x,
        n_steps=64,
        method="percentile",
        percentile=100.0,
        correction="none",
        neuron="auto",
        schedule="two-phase",
    )
    (got,) = snn_ops.Session(two_phase.proto()).run(x)
    assert np.linalg.norm(got - expected) / np.linalg.norm(expected) < most


def test_values_decide_not_names(tmp_path) -> None:
    """0.5 x + 0.5 |x| is a Relu, x - Relu(x) is none."""
    for body, activation in (
        ("a = Abs(h)  b = Add(h, a)  q = Mul(b, HALF)  r = Relu(q)", "Relu"),
        ("a = Exp(h)  b = Sub(ONE, a)  r = Abs(b)", "Function"),
    ):
        FORMS["here"] = (activation, body)
        ann = load_ann(save(model_with("here"), tmp_path / "m.onnx"))
        trained = trace(ann)
        names = [activation.name for _, activation in find_activations(trained.model, trained.axes)]
        del FORMS["here"]
        assert activation in names
        assert isinstance(ann.model, ir.Model)
