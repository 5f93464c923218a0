"""A model exported for a fixed number of samples: the spiking one takes any, and computes what the model does for its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from converter.normalise.proof import prove
from tests.models import save, text_model

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


def _compare(model: onnx.ModelProto, batch: int, folder: Path, *, count: int = 24, tolerance: float = 0.02) -> None:
    """The spiking model, of all samples at once, against the trained one, `batch` at a time."""
    path = save(model, folder / "m.onnx")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    samples = np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)
    (found,) = snn_ops.Session(convert(path, samples).proto(), n_steps=64).run(samples)
    session = ort.InferenceSession(path)
    expected = np.concatenate([session.run(None, {"x": samples[i : i + batch]})[0] for i in range(0, count, batch)])
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)


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
    _compare(model, batch, tmp_path)


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
    _compare(model, batch, tmp_path)


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
    _compare(model, batch, tmp_path)


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
    _compare(model, batch, tmp_path)


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
    _compare(model, batch, tmp_path)


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
    _compare(model, batch, tmp_path)


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
    _compare(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_size_to_resize_to(batch, tmp_path) -> None:
    model = text_model(
        f"""m (float[{batch},2,4,4] x) => (float[{batch},2,8,8] y) <float[2,2,1,1] K, int64[4] SIZES> {{
          c = Conv(x, K)  a = Relu(c)  r = Resize<mode = "linear">(a, , , SIZES)  d = Conv(r, K)  b = Relu(d)
          y = Conv(b, K) }}""",
        SIZES=np.asarray([batch, 2, 8, 8]),
    )
    _compare(model, batch, tmp_path)


@pytest.mark.parametrize("batch", [1, 2, "N"])
def test_an_index_among_the_numbers_of_all_samples(batch, tmp_path) -> None:
    """As torch writes `as_strided`, behind AdaptiveAvgPool2d of what was permuted: indices stored, or computed from a shape."""
    pick = "i = Identity(INDICES)"
    if batch == "N":
        pick = """n = Shape<start = 0, end = 1>(x)  count = Squeeze(n)  each = Range(NOUGHT, count, UNIT)  far = Mul(each, FOUR)
            apart = Unsqueeze(far, ONE)  i = Add(apart, OFFSETS)"""
    model = text_model(
        f"""m (float[{batch},2,3] x) => (float[{batch},4] y)
        <float[3,2] A, float[4,4] B, int64[1] ALL, int64[] NOUGHT, int64[] UNIT, int64[] FOUR, int64[1] ONE, int64[4] OFFSETS,
         int64[{1 if batch == "N" else batch},4] INDICES> {{
          h = MatMul(x, A)  a = Relu(h)  flat = Reshape(a, ALL)  {pick}  g = Gather<axis = 0>(flat, i)  m = MatMul(g, B)
          b = Relu(m)  y = MatMul(b, B) }}""",
        ALL=np.asarray([-1]),
        NOUGHT=np.asarray(0),
        UNIT=np.asarray(1),
        FOUR=np.asarray(4),
        ONE=np.ones(1),
        OFFSETS=np.asarray([2, 0, 3, 1]),
        INDICES=np.asarray([[2, 0, 3, 1], [6, 4, 7, 5]])[: 1 if batch == "N" else batch],
    )
    _compare(model, 24 if batch == "N" else batch, tmp_path)


def test_an_index_into_another_sample_is_refused(tmp_path) -> None:
    model = text_model(
        """m (float[2,4] x) => (float[2,4] y) <float[4,4] A, int64[1] ALL, int64[2,4] INDICES> {
          h = MatMul(x, A)  a = Relu(h)  flat = Reshape(a, ALL)  g = Gather<axis = 0>(flat, INDICES)  y = MatMul(g, A) }""",
        ALL=np.asarray([-1]),
        INDICES=np.asarray([[4, 5, 6, 7], [0, 1, 2, 3]]),
    )
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    with pytest.raises(RefusedError, match="Gather picks among the samples"):
        prove(ann, {"x": np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)})


def test_one_that_cannot_be_freed_is_named(tmp_path) -> None:
    """Without its axis a sample is no batch of one."""
    model = text_model(
        """m (float[1,5,4] x) => (float[1,5,4] y) <int64[1] ZERO> {
          s = Squeeze(x, ZERO)  r = Relu(s)  y = Unsqueeze(r, ZERO) }""",
        ZERO=np.zeros(1),
    )
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    with pytest.raises(RefusedError, match="It was exported for a batch of 1, which may be why"):
        prove(ann, {"x": np.random.default_rng(0).normal(size=(5, 5, 4)).astype(np.float32)})


BY_SAMPLE_AND_PLACE = {
    "GatherND": """lengths = Concat<axis = 0>(n, REST)  s = Expand(each_sample, lengths)  k = Expand(KEYS, lengths)
        pairs = Concat<axis = 3>(s, k)  picked = GatherND(a, pairs)""",
    "Gather": """far = Mul(each_sample, FOUR)  i = Add(far, KEYS)  column = Flatten<axis = 2>(a)
        picked = Gather<axis = 0>(column, i)""",
}
"""As Transformers' `mask[sample, key]` is exported."""


@pytest.mark.parametrize("how", BY_SAMPLE_AND_PLACE)
@pytest.mark.parametrize("batch", [1, 2, "N"])
def test_an_index_of_sample_and_place(batch, how, tmp_path) -> None:
    samples = "count = Squeeze(n)  each = Range(NOUGHT, count, UNIT)" if batch == "N" else "each = Identity(SAMPLES)"
    model = text_model(
        f"""m (float[{batch},4] x) => (float[{batch},4] y)
        <float[4,4] A, int64[] NOUGHT, int64[] UNIT, int64[] FOUR, int64[3] BEHIND, int64[3] REST, int64[1,1,4,1] KEYS,
         int64[{1 if batch == "N" else batch}] SAMPLES> {{
          h = MatMul(x, A)  a = Relu(h)  n = Shape<start = 0, end = 1>(x)  {samples}  each_sample = Unsqueeze(each, BEHIND)
          {BY_SAMPLE_AND_PLACE[how]}  flat = Flatten(picked)  m = MatMul(flat, A)  b = Relu(m)  y = MatMul(b, A) }}""",
        NOUGHT=np.asarray(0),
        UNIT=np.asarray(1),
        FOUR=np.asarray(4),
        BEHIND=np.asarray([1, 2, 3]),
        REST=np.asarray([1, 4, 1]),
        KEYS=np.asarray([2, 0, 3, 1]),
        SAMPLES=np.arange(1 if batch == "N" else batch),
    )
    _compare(model, 24 if batch == "N" else batch, tmp_path)


LAST_OF_EACH = {
    "GatherND": """s = Unsqueeze(each, ONE)  k = Unsqueeze(place, ONE)  pairs = Concat<axis = 1>(s, k)
        picked = GatherND(a, pairs)""",
    "Gather": """far = Mul(each, FOUR)  i = Add(place, far)  rows = Reshape(a, ROWS)  g = Gather<axis = 0>(rows, i)
        lengths = Shape(i)  to = Concat<axis = 0>(lengths, WIDTH)  picked = Reshape(g, to)""",
}
"""As the last token of each text is picked."""


@pytest.mark.parametrize("how", LAST_OF_EACH)
@pytest.mark.parametrize("batch", [1, 2, "N"])
def test_an_index_of_sample_and_place_that_depends_on_the_sample(batch, how, tmp_path) -> None:
    samples = "count = Squeeze(n)  each = Range(NOUGHT, count, UNIT)" if batch == "N" else "each = Identity(SAMPLES)"
    model = text_model(
        f"""m (float[{batch},4,3] x) => (float[{batch},3] y)
        <float[3,3] A, int64[] NOUGHT, int64[] UNIT, int64[] FOUR, int64[1] ONE, int64[2] ROWS, int64[1] WIDTH, int64[1] LAST,
         int64[{1 if batch == "N" else batch}] SAMPLES> {{
          h = MatMul(x, A)  a = Relu(h)  n = Shape<start = 0, end = 1>(x)  {samples}
          sum = ReduceSum<keepdims = 0>(x, LAST)  place = ArgMax<axis = 1, keepdims = 0>(sum)
          {LAST_OF_EACH[how]}  m = MatMul(picked, A)  b = Relu(m)  y = MatMul(b, A) }}""",
        NOUGHT=np.asarray(0),
        UNIT=np.asarray(1),
        FOUR=np.asarray(4),
        ONE=np.ones(1),
        ROWS=np.asarray([-1, 3]),
        WIDTH=np.full(1, 3),
        LAST=np.full(1, -1),
        SAMPLES=np.arange(1 if batch == "N" else batch),
    )
    _compare(model, 24 if batch == "N" else batch, tmp_path)


def test_an_axis_of_length_0(tmp_path) -> None:
    model = text_model(
        """m (float[1,4] x) => (float[1,4] y) <float[4,4] A, int64[2] EMPTY, int64[1] ONE, int64[1] ZERO> {
          h = MatMul(x, A)  a = Relu(h)  s = Slice(a, ZERO, ZERO, ONE)  r = Reshape(s, EMPTY)
          j = Concat<axis = 1>(a, r)  y = MatMul(j, A) }""",
        EMPTY=np.asarray([1, 0]),
        ONE=np.ones(1),
        ZERO=np.zeros(1),
    )
    _compare(model, 1, tmp_path)
