"""Inputs without an axis of samples get one: the spiking model takes many, and computes for each what the model does."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.graph.build import set_constant
from converter.normalise.ann import Interface, load_ann
from converter.normalise.proof import prove
from tests.models import mlp, save, text_model

MLP = "<float[9,16] W, float[16] B, float[16,6] V, float[9] MEAN, float[1] ONE, int64[1] ZERO, int64[2] ROW, int64[1] FLAT>"
POLICIES = {
    "matmul": "h = MatMul(x, W)  b = Add(h, B)  a = Relu(b)  y = MatMul(a, V)",
    "normalised": "n = Sub(x, MEAN)  h = MatMul(n, W)  b = Add(h, B)  a = Elu(b)  z = MatMul(a, V)  y = Tanh(z)",
    "unsqueezed": "r = Unsqueeze(x, ZERO)  h = Gemm(r, W, B)  a = Relu(h)  z = Gemm(a, V)  y = Squeeze(z, ZERO)",
    "reshaped": "r = Reshape(x, ROW)  h = Gemm(r, W, B)  a = Relu(h)  z = Gemm(a, V)  y = Reshape(z, FLAT)",
    "softmax": "h = MatMul(x, W)  a = Relu(h)  z = MatMul(a, V)  y = Softmax<axis = 0>(z)",
    "norm": "m = ReduceMean<axes = [0], keepdims = 1>(x)  n = Sub(x, m)  h = MatMul(n, W)  a = Relu(h)  y = MatMul(a, V)",
    "norm of all": "m = ReduceMean<keepdims = 0>(x)  n = Sub(x, m)  h = MatMul(n, W)  a = Relu(h)  y = MatMul(a, V)",
    "a row in front": "h = MatMul(x, W)  a = Relu(h)  z = MatMul(a, V)  y = Unsqueeze(z, ZERO)",
}


def runs_one_by_one(path: str, inputs: dict[str, np.ndarray], bare: set[str]) -> list[np.ndarray]:
    """Each sample through the model as it came; `bare` are the inputs that it takes without an axis of samples."""
    session, results = ort.InferenceSession(path), []
    for index in range(len(next(iter(inputs.values())))):
        feed = {
            name: np.asarray(array[index]) if name in bare else array[index : index + 1]
            for name, array in inputs.items()
        }
        results.append(session.run(None, feed))
    shapes = [output.shape for output in session.get_outputs()]
    return [
        np.concatenate([result[k][None] if len(shape) < 2 else result[k] for result in results])
        for k, shape in enumerate(shapes)
    ]


def check(model: onnx.ModelProto, inputs: dict[str, np.ndarray], bare: set[str], tmp_path) -> None:
    path = save(model, tmp_path / "m.onnx")
    conversion = convert(path, inputs, code="delta", n_steps=16)
    found = snn_ops.Session(conversion.proto(), n_steps=24).run(inputs)
    for y, expected in zip(found, runs_one_by_one(path, inputs, bare), strict=True):
        assert y.shape == expected.shape
        assert np.linalg.norm(y - expected) < 0.02 * np.linalg.norm(expected)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", POLICIES)
def test_a_single_vector(name, tmp_path) -> None:
    """As networks that control something are exported: [9] -> [6]."""
    shape = "float[1,6] y" if name == "a row in front" else "float[6] y"
    arrays = {"ZERO": np.zeros(1), "ROW": np.asarray([1, 9]), "FLAT": np.asarray([6])}
    model = text_model(f"m (float[9] x) => ({shape}) {MLP} {{ {POLICIES[name]} }}", **arrays)
    check(model, {"x": normal(24, 9)}, {"x"}, tmp_path)
    assert load_ann(tmp_path / "m.onnx").interface.added == ({"x"} if name == "a row in front" else {"x", "y"})


def test_as_long_as_its_output(tmp_path) -> None:
    """[9] -> [9] could be 9 samples of one number each, if no node mixed them."""
    model = text_model(
        "m (float[9] x) => (float[9] y) <float[9,9] W> { h = MatMul(x, W)  a = Relu(h)  y = MatMul(a, W) }"
    )
    check(model, {"x": normal(24, 9)}, {"x"}, tmp_path)
    numbers = text_model("m (float[9] x) => (float[9] y) { y = Relu(x) }")
    ann = load_ann(save(numbers, tmp_path / "m.onnx"))
    assert ann.interface == Interface(batch=9)


def test_a_matrix_in_front_of_the_vector(tmp_path) -> None:
    model = text_model(
        "m (float[9] x) => (float[6] y) <float[16,9] W, float[6,16] V> { h = MatMul(W, x)  a = Relu(h)  y = MatMul(V, a) }"
    )
    check(model, {"x": normal(24, 9)}, {"x"}, tmp_path)


def test_an_image(tmp_path) -> None:
    """Without its axis of samples, which the model makes itself."""
    model = text_model(
        """m (float[2,6,6] x) => (float[5] y) <float[3,2,3,3] W, float[48,5] V, int64[1] ZERO> {
          r = Unsqueeze(x, ZERO)  c = Conv(r, W)  a = Relu(c)  f = Flatten(a)  z = MatMul(f, V)  y = Squeeze(z, ZERO) }""",
        ZERO=np.zeros(1),
    )
    check(model, {"x": normal(24, 2, 6, 6)}, {"x"}, tmp_path)


def test_parts_of_a_vector(tmp_path) -> None:
    model = text_model(
        """m (float[9] x) => (float[6] y)
        <float[4,8] A, float[5,8] B, float[16,6] V, int64[1] ZERO, int64[1] FOUR, int64[1] END, int64[5] PICK> {
          p = Slice(x, ZERO, FOUR)  q = Gather<axis = 0>(x, PICK)  g = MatMul(p, A)  h = MatMul(q, B)
          j = Concat<axis = 0>(g, h)  a = Relu(j)  y = MatMul(a, V) }""",
        ZERO=np.zeros(1),
        FOUR=np.asarray([4]),
        END=np.asarray([9]),
        PICK=np.asarray([8, 4, 5, 0, 7]),
    )
    check(model, {"x": normal(24, 9)}, {"x"}, tmp_path)


def test_a_table_and_a_choice(tmp_path) -> None:
    """Numbers of rows come in, the number of an action goes out."""
    model = text_model(
        """m (int64[3] x) => (int64 y, float[5] z) <float[20,6] TABLE, float[18,12] W, float[12,5] V, int64[1] S> {
          e = Gather(TABLE, x)  f = Reshape(e, S)  h = MatMul(f, W)  a = Relu(h)  z = MatMul(a, V)
          y = ArgMax<axis = 0, keepdims = 0>(z) }""",
        S=np.asarray([18]),
    )
    path, x = save(model, tmp_path / "m.onnx"), np.random.default_rng(0).integers(0, 20, (48, 3))
    actions, values = snn_ops.Session(convert(path, x, code="delta", n_steps=16).proto(), n_steps=24).run(x)
    expected = runs_one_by_one(path, {"x": x}, {"x"})
    assert np.linalg.norm(values - expected[1]) < 0.02 * np.linalg.norm(expected[1])
    assert np.mean(actions == expected[0].reshape(-1)) > 0.9


@pytest.mark.parametrize(("batch", "shape"), [("N", "[3]"), ("1", "[3]"), ("N", ""), ("1", ""), ("1", "[1,3]")])
def test_beside_an_input_that_has_samples(batch, shape, tmp_path) -> None:
    """A command for each sample, given without an axis for it."""
    length = 1 if not shape else 3
    command = "c = Reshape(command, ROW)" if shape != "[1,3]" else "c = Identity(command)"
    model = text_model(
        f"""m (float[{batch},9] x, float{shape} command) => (float[{batch},6] y)
        <float[9,16] W, float[{length},16] U, float[16,6] V, int64[2] ROW> {{
          {command}  h = MatMul(x, W)  g = MatMul(c, U)  s = Add(h, g)  a = Relu(s)  y = MatMul(a, V) }}""",
        ROW=np.asarray([1, length]),
    )
    inputs = {"x": normal(24, 9), "command": normal(24, *([length] if shape else []), seed=1)}
    check(model, inputs, set() if shape == "[1,3]" else {"command"}, tmp_path)


def test_a_number_for_each_sample(tmp_path) -> None:
    """A scalar beside samples of several axes."""
    model = text_model(
        "m (float[N,4,9] x, float gain) => (float[N,4,6] y) <float[9,16] W, float[16,6] V> {"
        "  s = Mul(x, gain)  h = MatMul(s, W)  a = Relu(h)  y = MatMul(a, V) }"
    )
    check(model, {"x": normal(24, 4, 9), "gain": np.abs(normal(24, seed=1)) + 0.5}, {"gain"}, tmp_path)


REFUSED = {
    "condition": (
        """m (float[N,4] x, int64 rate) => (float[N,4] y) <int64[] RATE, float[4,4] W> {
          c = Equal(rate, RATE)  h = MatMul(x, W)
          y = If(c) <then_branch = t () => (float[N,4] p) { p = Relu(h) },
                     else_branch = e () => (float[N,4] q) { q = Tanh(h) }> }""",
        r"input 'rate' \[\] has no axis of samples, and none can be added: node 'y', If",
    ),
    "order of a sequence": (
        """m (float[5,4] x) => (float[6] y) <float[1,24,4] W, float[1,24,6] R, int64[1] ONE, int64[1] ZERO> {
          s = Unsqueeze(x, ONE)  z, last, c = LSTM<hidden_size = 6>(s, W, R)  a = Relu(last)  y = Squeeze(a) }""",
        r"input 'x' \[5, 4\] has no axis of samples, and none can be added: node 'z', LSTM",
    ),
    "shape": (
        """m (float[9] x) => (float[1] y) <float[9,4] W> {
          s = Shape(x)  n = Cast<to = 1>(s)  h = MatMul(x, W)  a = Relu(h)  m = ReduceMean<keepdims = 1>(a)  y = Add(m, n) }""",
        r"input 'x' \[9\] has no axis of samples, and none can be added: node 's', Shape, reads a shape",
    ),
    "free length": (
        "m (float[N,4] x, float[2,M] z) => (float[N,4] y) { r = ReduceSum<keepdims = 0>(z)  h = Mul(x, r)  y = Relu(h) }",
        r"input 'z' \[2, M\] has no axis of samples, and none can be added: its lengths are free",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_given_another_axis_is_named(name, tmp_path) -> None:
    text, reason = REFUSED[name]
    arrays = {"ONE": np.asarray([1]), "ZERO": np.zeros(1), "RATE": np.asarray(16000)}
    model = text_model(text, **arrays)
    with pytest.raises(RefusedError, match=reason + ".*export the model with the batch as axis 0"):
        load_ann(save(model, tmp_path / "m.onnx"))


def test_others_stay(tmp_path) -> None:
    for batch in ("N", "1", "3"):
        ann = load_ann(save(mlp(batch=batch), tmp_path / "m.onnx"))
        assert not ann.interface.added
        assert not next(report for report in ann.reports if report.name == "add batch")


def test_a_result_that_is_not_the_original_is_refused(tmp_path) -> None:
    """The proof runs each sample through the model as it came."""
    model = text_model("m (float[9] x) => (float[6] y) <float[9,6] W> { h = MatMul(x, W)  y = Relu(h) }")
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    weights = ann.model.graph.initializers["W"]
    set_constant(weights, 2 * weights.const_value.numpy())
    with pytest.raises(RefusedError, match="output 'y' of 4 samples differs when they run one by one"):
        prove(ann, {"x": normal(4, 9)})
