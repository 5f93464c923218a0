"""What a conversion refuses before it builds anything, and what stays analog."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from tests.models import convert_model, mlp, samples, save, text_model


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "m (float[N,4] x) => (float[N,3] y) <float[4,3] W> { y = MatMul(x, W) }",
            "no activation that a neuron could replace: it is linear; run it as it is",
        ),
        (
            """m (float[N,4] x) => (float[N,3] y) <float[4,3] V, float[4,3] W> {
              a = MatMul(x, V)  b = MatMul(x, W)  c = Max(a, b)  y = Softmax(c) }""",
            "Max, Softmax are no functions of one number, such as Relu; train it with one, or run it as it is",
        ),
        (
            """m (float[N,4] x) => (float[N,4] y) <float[1,16,4] W, float[1,16,4] R, int64[1] ONE> {
              u = Unsqueeze(x, ONE)  [memory] h, last = LSTM<hidden_size = 4>(u, W, R)  q = Squeeze(h)  y = Relu(q) }""",
            "node 'memory': LSTM runs through the samples as if they were a sequence, so axis 0 is not a batch",
        ),
        (
            """m (float[N,4] x) => (float[N,4] y) <float[4,4] A, float[4] B> {
              h = MatMul(x, A)  g = com.microsoft.BiasGelu(h, B)  y = MatMul(g, A) }""",
            "it has com.microsoft.BiasGelu; convert the model before it was optimised",
        ),
        (
            """m (float[N,5,4] x) => (float[N,4] y) <float[4,6] A, float[1,16,6] W, float[1,16,4] R, int64[1] ZERO> {
              h = MatMul(x, A)  a = Relu(h)  t = Transpose<perm = [1, 0, 2]>(a)
              [memory] s, last = LSTM<hidden_size = 4>(t, W, R)  y = Squeeze(last, ZERO) }""",
            "node 'memory': LSTM keeps a state of its own over a sequence, which does not come in parts",
        ),
    ],
)
def test_refuses_with_reason(text, reason, tmp_path) -> None:
    model = text_model(text, ZERO=np.zeros(1), ONE=np.ones(1))
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(RefusedError) as refused:
        convert(save(model, tmp_path / "m.onnx"), samples(model, 5), code="rate")
    assert reason in str(refused.value)
    assert str(tmp_path / "m.onnx") in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (
            "y = com.microsoft.FusedMatMul(x, A)",
            "it has com.microsoft.FusedMatMul; convert the model before it was optimised",
        ),
        (
            'y = ai.onnx.ml.Normalizer<norm = "L2">(x)',
            "it has ai.onnx.ml.Normalizer, of which nothing is known; export the model with ONNX's own operators",
        ),
        ("y = Relu(x)", "it has no layer with weights that neurons could send a value to; run it as it is"),
    ],
)
def test_operators_of_others_are_the_reason(layer, reason, tmp_path) -> None:
    """An optimised layer has weights, if none that are known; and not all that is foreign was optimised."""
    model = text_model(f"m (float[N,4] x) => (float[N,4] y) <float[4,4] A> {{ {layer} }}")
    for domain, version in (("com.microsoft", 1), ("ai.onnx.ml", 3)):
        model.opset_import.append(onnx.helper.make_opsetid(domain, version))
    path = save(model, tmp_path / "m.onnx")
    for code in ("rate", "delta") if "run it" not in reason else ("delta",):
        with pytest.raises(RefusedError) as refused:
            convert(path, samples(model, 16), code=code)
        assert str(refused.value).endswith(reason)


def test_recurrent_layers_stay_analog_before_the_first_neuron(tmp_path) -> None:
    """Also what lies before them: the first Relu does not spike."""
    model = text_model(
        """m (float[N,5,4] x) => (float[N,3] y)
        <float[4,6] A, float[1,16,6] W, float[1,16,4] R, float[4,8] B, float[8,3] C, int64[1] ZERO> {
          h = MatMul(x, A)  [before] a = Relu(h)  t = Transpose<perm = [1, 0, 2]>(a)
          s, last = LSTM<hidden_size = 4>(t, W, R)  q = Squeeze(last, ZERO)  k = MatMul(q, B)  [behind] b = Relu(k)
          y = MatMul(b, C) }""",
        ZERO=np.zeros(1),
    )
    conversion, snn = convert_model(model, tmp_path, percentile=100.0)
    assert [layer.name for layer in conversion.layers] == ["behind"]
    x = samples(model)
    (expected,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(snn).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02


def test_an_already_spiking_model_is_refused(tmp_path) -> None:
    convert_model(mlp(), tmp_path)
    with pytest.raises(RefusedError, match="already a spiking model"):
        load_ann(tmp_path / "m.snn.onnx")
