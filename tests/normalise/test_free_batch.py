"""A model exported for a fixed number of samples: the spiking one takes any, and computes what the model does for its own."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.errors import RefusedError
from converter.graph.passes import PassReport
from converter.normalise.ann import load_ann
from converter.normalise.free_batch import free_batch
from converter.normalise.open_batch import open_batch
from converter.normalise.proof import prove
from tests.models import save, text_model
from tests.normalise.agreement import check_agreement
from tests.passes import from_text, normal, outputs

LENGTH, WIDTH, HEADS = 5, 8, 2
"""Of sequences."""


ATTENTION = """
  qkv = MatMul({x}, QKV)  q0, k0, v0 = Split<axis = 2>(qkv, THIRDS)
  q1 = Reshape(q0, TO_HEADS)  k1 = Reshape(k0, TO_HEADS)  v1 = Reshape(v0, TO_HEADS)
  q = Transpose<perm = [1, 0, 2]>(q1)  k = Transpose<perm = [1, 2, 0]>(k1)  v = Transpose<perm = [1, 0, 2]>(v1)
  scores = MatMul(q, k)  {masked}  weights = Softmax<axis = -1>(masked)  mixed = MatMul(weights, v)
  turned = Transpose<perm = [1, 0, 2]>(mixed)  rows = Reshape(turned, TO_ROWS)
  linear = Gemm<transB = 1>(rows, OUT, OUT_BIAS)  attended = Reshape(linear, FROM_ROWS)
"""
"""As torch.onnx.export writes nn.MultiheadAttention for `batch` samples, the length in front."""


WEIGHTS = (
    f"float[{WIDTH},{3 * WIDTH}] QKV, float[{WIDTH},{WIDTH}] OUT, float[{WIDTH}] OUT_BIAS, float[{WIDTH},{WIDTH}] A"
)


def _attention_arrays(batch: int, length: int = LENGTH) -> dict[str, np.ndarray]:
    return {
        "THIRDS": np.full(3, WIDTH),
        "TO_HEADS": np.asarray([length, batch * HEADS, WIDTH // HEADS]),
        "TO_ROWS": np.asarray([length * batch, WIDTH]),
        "FROM_ROWS": np.asarray([length, batch, WIDTH]),
    }


@pytest.mark.parametrize("mask", ["", "float[1,1,5] MASK", "float[5,5] MASK"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_attention(batch, mask, tmp_path) -> None:
    """With a residual connection around it, and a layer of neurons whose samples lie in axis 1."""
    text = ATTENTION.format(x="t", masked="masked = Add(scores, MASK)" if mask else "masked = Identity(scores)")
    model = text_model(
        f"""m (float[{batch},{LENGTH},{WIDTH}] x) => (float[{batch},{LENGTH},{WIDTH}] y)
        <{WEIGHTS}, int64[3] THIRDS, int64[3] TO_HEADS, int64[2] TO_ROWS, int64[3] FROM_ROWS{", " if mask else ""}{mask}> {{
          t = Transpose<perm = [1, 0, 2]>(x) {text} s = Add(t, attended)  h = MatMul(s, A)  a = Relu(h)
          m = MatMul(a, A)  r = Add(s, m)  y = Transpose<perm = [1, 0, 2]>(r) }}""",
        **_attention_arrays(batch),
    )
    check_agreement(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_mask_for_each_head_of_each_sample(batch, tmp_path) -> None:
    """The same for every sample: it lies in the model as often as this has samples."""
    mask = np.random.default_rng(1).normal(size=(HEADS, LENGTH, LENGTH))
    text = ATTENTION.format(x="t", masked="masked = Add(scores, MASK)")
    model = text_model(
        f"""m (float[{batch},{LENGTH},{WIDTH}] x) => (float[{batch},{LENGTH},{WIDTH}] y)
        <{WEIGHTS}, int64[3] THIRDS, int64[3] TO_HEADS, int64[2] TO_ROWS, int64[3] FROM_ROWS,
         float[{batch * HEADS},5,5] MASK> {{
          t = Transpose<perm = [1, 0, 2]>(x) {text} u = Transpose<perm = [1, 0, 2]>(attended)  h = MatMul(u, A)  a = Relu(h)
          y = MatMul(a, A) }}""",
        **_attention_arrays(batch),
        MASK=np.concatenate([mask] * batch),
    )
    check_agreement(model, batch, tmp_path)


TOKEN = np.random.default_rng(2).normal(size=(1, 1, 8))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "row",
    [
        "token = Identity(TOKEN)",
        "token = Expand(ONE, LENGTHS)",
        "token = ConstantOfShape<value = float[1] {0.5}>(LENGTHS)",
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_class_token(turned, row, batch, tmp_path) -> None:
    """In front of the sequence, with the samples in axis 0 or 1."""
    join = (
        "t = Transpose<perm = [1, 0, 2]>(a)  z = Transpose<perm = [1, 0, 2]>(token)  w = Concat<axis = 0>(z, t)"
        "  j = Transpose<perm = [1, 0, 2]>(w)"
        if turned
        else "j = Concat<axis = 1>(token, a)"
    )
    model = text_model(
        f"""m (float[{batch},4,8] x) => (float[{batch},5,8] y)
        <float[8,8] A, float[8,8] B, float[{batch},1,8] TOKEN, float[1,1,8] ONE, int64[3] LENGTHS> {{
          h = MatMul(x, A)  a = Relu(h)  {row}  {join}  k = MatMul(j, B)  b = Relu(k)  y = MatMul(b, A) }}""",
        TOKEN=np.repeat(TOKEN, batch, axis=0),
        ONE=TOKEN,
        LENGTHS=np.asarray([batch, 1, 8]),
    )
    check_agreement(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_table_that_every_sample_looks_into(batch, tmp_path) -> None:
    """As RoBERTa's token types: GatherElements, of a table that was expanded to a row for each sample."""
    model = text_model(
        f"""m (float[{batch},4] x) => (float[{batch},4] y) <float[4,4] A, float[{batch},6] TABLE, float[] ZERO, float[] FIVE> {{
          low = Max(x, ZERO)  high = Min(low, FIVE)  i = Cast<to = 7>(high)  t = GatherElements<axis = 1>(TABLE, i)
          s = Add(x, t)  h = MatMul(s, A)  a = Relu(h)  y = MatMul(a, A) }}""",
        TABLE=np.repeat(np.random.default_rng(4).normal(size=(1, 6)), batch, axis=0),
        ZERO=np.asarray(0),
        FIVE=np.asarray(5),
    )
    check_agreement(model, batch, tmp_path)


def test_rows_that_are_not_the_same_are_no_token(tmp_path) -> None:
    model = text_model(
        """m (float[2,4,8] x) => (float[2,5,8] y) <float[8,8] A, float[2,1,8] TOKENS> {
          h = MatMul(x, A)  a = Relu(h)  j = Concat<axis = 1>(TOKENS, a)  y = MatMul(j, A) }"""
    )
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    with pytest.raises(RefusedError, match="It was exported for a batch of 2, which may be why"):
        prove(ann, {"x": np.random.default_rng(0).normal(size=(4, 4, 8)).astype(np.float32)})


@pytest.mark.parametrize("batch", [1, 2])
def test_positions_and_states_of_each_sample(batch, tmp_path) -> None:
    rng = np.random.default_rng(3)
    model = text_model(
        f"""m (float[{batch},4,8] x) => (float[{batch},6] y)
        <float[{batch},4,8] P, float[1,18,8] W, float[1,18,6] R, float[1,36] B, float[1,{batch},6] H, float[6,6] A,
         int64[1] ZERO> {{
          p = Add(x, P)  t = Transpose<perm = [1, 0, 2]>(p)  z, last = GRU<hidden_size = 6>(t, W, R, B, , H)
          s = Squeeze(last, ZERO)  h = MatMul(s, A)  a = Relu(h)  y = MatMul(a, A) }}""",
        P=np.repeat(rng.normal(size=(1, 4, 8)), batch, axis=0),
        H=np.repeat(rng.normal(size=(1, 1, 6)), batch, axis=1),
        ZERO=np.zeros(1),
    )
    check_agreement(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 3])
def test_windows_share_the_axis(batch, tmp_path) -> None:
    model = text_model(
        f"""m (float[{batch},4,8] x) => (float[{batch},4,8] y)
        <float[8,8] A, float[8,8] B, int64[3] ROWS, int64[4] HEADS, int64[3] BACK> {{
          w = Reshape(x, ROWS)  h = MatMul(w, A)  p0 = Reshape(h, HEADS)  norm = ReduceL2<axes = [3]>(p0)
          far = Expand(norm, HEADS)  p = Div(p0, far)  t = Transpose<perm = [0, 2, 1, 3]>(p)
          s = Softmax<axis = 2>(t)  u = Transpose<perm = [0, 2, 1, 3]>(s)  r = Reshape(u, ROWS)  m = MatMul(r, A)
          a = Relu(m)  b = MatMul(a, B)  y = Reshape(b, BACK) }}""",
        ROWS=np.asarray([2 * batch, 2, 8]),
        HEADS=np.asarray([2 * batch, 2, 2, 4]),
        BACK=np.asarray([batch, 4, 8]),
    )
    check_agreement(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_target_that_only_counts_windows(batch, tmp_path) -> None:
    """As Swin's: the number of windows is read off a shape and multiplied by the batch size, which is a constant."""
    model = text_model(
        f"""m (float[{batch},3,8] x) => (float[{batch},4,8] y)
        <float[8,8] A, int64[6] PADS, int64[1] ONE, int64[1] TWO, int64[1] BATCH, int64[2] REST, int64[1] EIGHT> {{
          p = Pad(x, PADS)  length = Shape<start = 1, end = 2>(p)  count = Div(length, TWO)  windows = Mul(count, BATCH)
          to = Concat<axis = 0>(windows, REST)  w = Reshape(p, to)  h = MatMul(w, A)  a = Relu(h)  m = MatMul(a, A)
          back = Concat<axis = 0>(BATCH, length, EIGHT)  y = Reshape(m, back) }}""",
        PADS=np.asarray([0, 0, 0, 0, 1, 0]),
        ONE=np.ones(1),
        TWO=np.full(1, 2),
        BATCH=np.full(1, batch),
        REST=np.asarray([2, 8]),
        EIGHT=np.full(1, 8),
    )
    check_agreement(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_size_to_resize_to(batch, tmp_path) -> None:
    model = text_model(
        f"""m (float[{batch},2,4,4] x) => (float[{batch},2,8,8] y) <float[2,2,1,1] K, int64[4] SIZES> {{
          c = Conv(x, K)  a = Relu(c)  r = Resize<mode = "linear">(a, , , SIZES)  d = Conv(r, K)  b = Relu(d)
          y = Conv(b, K) }}""",
        SIZES=np.asarray([batch, 2, 8, 8]),
    )
    check_agreement(model, batch, tmp_path)


def test_an_axis_of_length_0(tmp_path) -> None:
    model = text_model(
        """m (float[1,4] x) => (float[1,4] y) <float[4,4] A, int64[2] EMPTY, int64[1] ONE, int64[1] ZERO> {
          h = MatMul(x, A)  a = Relu(h)  s = Slice(a, ZERO, ZERO, ONE)  r = Reshape(s, EMPTY)
          j = Concat<axis = 1>(a, r)  y = MatMul(j, A) }""",
        EMPTY=np.asarray([1, 0]),
        ONE=np.ones(1),
        ZERO=np.zeros(1),
    )
    check_agreement(model, 1, tmp_path)


def freed(text: str, size: int, **arrays: np.ndarray) -> tuple[ir.Model, PassReport]:
    """The model with its batch freed; for samples of `size` at a time it computes what it did."""
    model = from_text(text, **arrays)
    inner = list(model.graph.inputs[0].shape)[1:]
    x = normal(6, *inner)
    expected = np.concatenate([outputs(model, x=x[i : i + size])[0] for i in range(0, 6, size)])
    open_batch(model)
    report = free_batch(model, size)
    np.testing.assert_allclose(outputs(model, x=x)[0], expected, rtol=1e-5, atol=1e-6)
    return model, report


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_is_reported(size) -> None:
    _, report = freed(
        f"""m (float[{size},4] x) => (float[{size},3,2] y) <int64[3] TO, int64[3] FAR, float[{size},1,2] TOKEN> {{
          r = Reshape(x, TO)  e = Expand(TOKEN, FAR)  y = Concat<axis = 1>(r, e) }}""",
        size,
        TO=np.asarray([size, 2, 2]),
        FAR=np.asarray([size, 1, 2]),
        TOKEN=np.ones((size, 1, 2)),
    )
    assert report.changed == (
        f"Reshape 'r': its target [{size}, 2, 2] gets the number of samples from the data: [0, 2, 2]",
        "Concat 'y': its input 'e', the same for each sample, is repeated for as many as there are",
    )
    assert report.declined == ()


def test_windows_are_inferred() -> None:
    _, report = freed(
        """m (float[2,4,3] x) => (float[2,4,3] y) <int64[3] TO, int64[3] BACK> {
          w = Reshape(x, TO)  s = Softmax<axis = 1>(w)  y = Reshape(s, BACK) }""",
        2,
        TO=np.asarray([4, 2, 3]),
        BACK=np.asarray([2, 4, 3]),
    )
    assert report.changed[0] == "Reshape 'w': its target [4, 2, 3] gets the number of samples from the data: [-1, 2, 3]"


def test_what_is_declined() -> None:
    """A mask with other rows for each sample of the fixed batch; a target that is computed from the data."""
    model = from_text(
        """m (float[2,4] x) => (float[2,5] y) <float[2,1] TOKENS> { y = Concat<axis = 1>(TOKENS, x) }""",
        TOKENS=np.asarray([[1], [2]]),
    )
    open_batch(model)
    assert free_batch(model, 2).declined == ("Concat 'y': its input 'TOKENS' has other numbers for each sample",)
    model = from_text(
        """m (float[2,L] x) => (float[2,L] y) <int64[3] TO, int64[2] ROWS> { r = Reshape(x, TO)  y = Reshape(r, ROWS) }""",
        TO=np.asarray([2, -1, 2]),
        ROWS=np.asarray([2, -1]),
    )
    open_batch(model)
    report = free_batch(model, 2)
    assert report.changed == (
        "Reshape 'r': its target [2, -1, 2] gets the number of samples from the data: [0, -1, 2]",
        "Reshape 'y': its target [2, -1] gets the number of samples from the data: [0, -1]",
    )


@pytest.mark.parametrize("axis", [0, -3, 1])
def test_flatten_of_one_sample_into_one_row(axis, tmp_path) -> None:
    """As keras2onnx wrote it."""
    model = text_model(
        f"""m (float[1,6,4] x) => (float[1,5] y) <float[4,3] A, float[18,5] B> {{
          h = MatMul(x, A)  r = Relu(h)  f = Flatten<axis = {axis}>(r)  y = MatMul(f, B) }}""",
        opset=13,
    )
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    x = normal(7, 6, 4)
    apart = np.concatenate([outputs(ir.from_proto(model), x=x[i : i + 1])[0] for i in range(7)])
    np.testing.assert_allclose(outputs(prove(ann, {"x": x}).model, x=x)[0], apart, rtol=1e-4, atol=1e-5)
