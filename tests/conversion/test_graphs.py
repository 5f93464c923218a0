"""Everything else in real graphs: between and around neurons each operation computes what it does in the trained model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.conversion.result import Conversion
from converter.errors import RefusedError
from converter.io.samples import InputSpec, Samples, check_samples
from converter.measure.evaluation import evaluate
from converter.normalise.ann import load_ann
from converter.spiking.model import SpikingModel
from tests.models import save, text_model

IMAGE = "m (float[N,2,8,8] x) => (float[N,3] y)"
END = "last = GlobalAveragePool(b)  flat = Flatten(last)  y = MatMul(flat, Z)"
"""From b [N,4,h,w] to the output."""
CONSTANTS = {
    "TWO": [1, 1, 2, 2], "AROUND": [0, 0, 1, 2, 0, 0, 0, 1], "ONE": [1], "THREE": [3], "AXIS": [1], "LAST": [-1],
    "HEADS": [0, 4, 2, 2], "ROWS": [0, 4, -1], "BACK": [0, 4, 6, 6], "CHANNELS": [2, 2], "ZERO": [0], "BIG": [4],
    "FLAT": [0, -1],
}  # fmt: skip
GRAPHS = {
    "MaxPool behind a neuron": "p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)  c = Conv(p, V)  b = Relu(c)",
    "MaxPool before a neuron": "d = Conv(a, V)  p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(d)  b = Relu(p)",
    "MaxPool of a Concat": """d = Conv(a, V)  e = Relu(d)  q = Conv(a, U)  r = Tanh(q)  j = Concat<axis = 1>(e, r)
        p = MaxPool<kernel_shape = [2, 2]>(j)  c = Conv(p, G)  b = Relu(c)""",
    "GlobalMaxPool": "p = GlobalMaxPool(a)  c = Conv(p, K)  b = Relu(c)",
    "ReduceMax": "p = ReduceMax<keepdims = 1>(a, LAST)  c = Conv(p, K)  b = Relu(c)",
    "AveragePool": "p = AveragePool<kernel_shape = [3, 3], strides = [1, 1]>(a)  c = Conv(p, K)  b = Relu(c)",
    "LpPool": "p = LpPool<kernel_shape = [2, 2], p = 2>(a)  c = Conv(p, K)  b = Relu(c)",
    "BatchNormalization between": "n = BatchNormalization(a, B1, B2, B3, B4)  c = Conv(n, V)  b = Relu(c)",
    "InstanceNormalization": "c = Conv(a, V)  n = InstanceNormalization(c, B1, B2)  b = Relu(n)",
    "residual": "c = Conv<pads = [1, 1, 1, 1]>(a, V)  s = Add(c, a)  b = Relu(s)",
    "ConvTranspose": "c = ConvTranspose<strides = [2, 2]>(a, V)  b = Relu(c)",
    "depthwise": "c = Conv<group = 4>(a, D)  e = Relu(c)  d = Conv(e, K)  b = Relu(d)",
    "grouped": "c = Conv<group = 2>(a, R)  b = Relu(c)",
    "Resize": 'r = Resize<mode = "linear">(a, , SCALES)  c = Conv(r, K)  b = Relu(c)',
    "Pad": "p = Pad(a, AROUND)  c = Conv(p, V)  b = Relu(c)",
    "Transpose": "t = Transpose<perm = [0, 2, 3, 1]>(a)  m = MatMul(t, Q)  e = Relu(m)  b = Transpose<perm = [0, 3, 1, 2]>(e)",
    "Reshape": "r = Reshape(a, ROWS)  t = Transpose<perm = [0, 2, 1]>(r)  m = MatMul(t, Q)  e = Relu(m)"
    "  u = Transpose<perm = [0, 2, 1]>(e)  b = Reshape(u, BACK)",
    "Squeeze": "p = GlobalAveragePool(a)  s = Squeeze(p, LAST2)  m = MatMul(s, Q)  e = Relu(m)  b = Unsqueeze(e, LAST2)",
    "Slice": "s = Slice(a, ONE, THREE, LAST)  c = Conv(s, T)  b = Relu(c)",
    "Split": "s, t = Split<axis = 1>(a, CHANNELS)  u = Sub(s, t)  j = Concat<axis = 1>(u, s)  c = Conv(j, K)  b = Relu(c)",
    "Gather": "s = Gather<axis = 2>(a, CHANNELS)  c = Conv(s, K)  b = Relu(c)",
    "LayerNormalization": """t = Transpose<perm = [0, 2, 3, 1]>(a)  n = LayerNormalization<axis = -1>(t, B1, B2)
        m = MatMul(n, Q)  e = Relu(m)  b = Transpose<perm = [0, 3, 1, 2]>(e)""",
    "LayerNormalization, a scale for each sample": """t = Transpose<perm = [0, 2, 3, 1]>(a)  s = MatMul(t, Q2)
        n = LayerNormalization<axis = -1>(t, s)  m = MatMul(n, Q)  e = Relu(m)  b = Transpose<perm = [0, 3, 1, 2]>(e)""",
    "LayerNormalization in pieces": """t = Transpose<perm = [0, 2, 3, 1]>(a)  u = ReduceMean<keepdims = 1>(t, LAST)
        d = Sub(t, u)  s = Mul(d, d)  v = ReduceMean<keepdims = 1>(s, LAST)  w = Add(v, EPSILON)  r = Sqrt(w)  n = Div(d, r)
        h = Mul(n, B1)  k = Add(h, B2)  m = MatMul(k, Q)  e = Relu(m)  b = Transpose<perm = [0, 3, 1, 2]>(e)""",
    "mask of the input": """p = GlobalAveragePool(x)  q = ReduceSum<keepdims = 1>(p, ONE)  g = Greater(q, EPSILON)
        d = Conv<pads = [1, 1, 1, 1]>(a, V)  n = Neg(d)  w = Where(g, d, n)  c = Conv(w, V)  b = Relu(c)""",
    "Softmax": "s = Softmax<axis = 1>(a)  c = Conv(s, V)  b = Relu(c)",
    "attention": """r = Reshape(a, ROWS)  t = Transpose<perm = [0, 2, 1]>(r)  q = MatMul(t, Q)  k = MatMul(t, Q2)
        v = MatMul(t, Q3)  kt = Transpose<perm = [0, 2, 1]>(k)  s = MatMul(q, kt)  w = Softmax<axis = -1>(s)
        o = MatMul(w, v)  m = MatMul(o, Q)  e = Relu(m)  u = Transpose<perm = [0, 2, 1]>(e)  b = Reshape(u, BACK)""",
    "gate": """p = GlobalAveragePool(a)  q = Conv(p, K)  s = Relu(q)  u = Conv(s, K)  g = Sigmoid(u)  w = Mul(a, g)
        c = Conv(w, V)  b = Relu(c)""",
    "LRN": "n = LRN<size = 3>(a)  c = Conv(n, V)  b = Relu(c)",
    "Dropout": "d = Dropout(a)  c = Conv(d, V)  b = Relu(c)",
    "DepthToSpace": "d = DepthToSpace<blocksize = 2>(a)  c = Conv(d, O)  b = Relu(c)",
    "SpaceToDepth": "d = SpaceToDepth<blocksize = 2>(a)  c = Conv(d, S)  b = Relu(c)",
    "ReduceMean": "p = ReduceMean<keepdims = 1>(a, LAST2)  c = Conv(p, K)  b = Relu(c)",
    "ReduceL2": "p = ReduceL2<keepdims = 1>(a, LAST2)  c = Conv(p, K)  b = Relu(c)",
    "shared weights": "c = Conv<pads = [1, 1, 1, 1]>(a, V)  e = Relu(c)  d = Conv<pads = [1, 1, 1, 1]>(e, V)  b = Relu(d)",
    "product of two layers": "c = Conv(a, V)  e = Relu(c)  d = Conv(a, U)  h = Relu(d)  p = Mul(e, h)  "
    "q = Conv(p, K)  b = Relu(q)",
    "quotient": "c = Conv(a, K)  e = Sigmoid(c)  p = Div(a, e)  q = Conv(p, K)  b = Relu(q)",
    "CumSum": "s = CumSum(a, AXIS0)  c = Conv(s, K)  b = Relu(c)",
    "Tile": "p = GlobalAveragePool(a)  t = Tile(p, TWO)  c = Conv(t, K)  b = Relu(c)",
    "Einsum": 'm = Einsum<equation = "nchw,cd->ndhw">(a, Q)  b = Relu(m)',
}  # fmt: skip


def build(name: str) -> onnx.ModelProto:
    body = GRAPHS[name]
    rng = np.random.default_rng(4)
    positive = {f"B{i}": rng.uniform(0.5, 1.5, 4) for i in (1, 2, 3, 4)}
    return text_model(
        f"""{IMAGE} <float[4,2,3,3] W, float[4,4,3,3] V, float[4,4,3,3] U, float[4,8,3,3] G, float[4,4,1,1] K,
        float[4,1,3,3] D, float[4,2,3,3] R, float[4,4] Q, float[4,4] Q2, float[4,4] Q3, float[4,1,1,1] O, float[4,16,1,1] S,
        float[4,4,1,2] T, float[4] B1, float[4] B2, float[4] B3, float[4] B4, float[4,3] Z, float[4] SCALES,
        float[] EPSILON, int64[4] TWO, int64[8] AROUND, int64[1] ONE, int64[1] THREE, int64[1] LAST, int64[2] LAST2,
        int64[3] ROWS, int64[4] BACK, int64[2] CHANNELS, int64[] AXIS0> {{
          first = Conv(x, W)  a = Relu(first)  {body}  {END} }}""",
        opset=18,
        scale=0.4,
        SCALES=np.asarray([1, 1, 2, 2]),
        EPSILON=np.asarray(1e-3),
        LAST2=np.asarray([2, 3]),
        AXIS0=np.asarray(2),
        **positive,
        **{key: np.asarray(value) for key, value in CONSTANTS.items()},
    )


def images(count: int = 48) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 2, 8, 8)).astype(np.float32)


def twice(samples: np.ndarray) -> np.ndarray:
    """So that calibration sees every sample, though some are held out."""
    return np.concatenate([samples, samples])


def relative_error(model: onnx.ModelProto, path, samples: Samples, **options) -> float:
    quick = {"method": "percentile", "percentile": 100.0, "correction": "none", "n_steps": 64, "neuron": "if-burst"}
    calibration = Samples({name: twice(array) for name, array in samples.feed.items()}, None)
    conversion = convert(path, calibration, **{"code": "rate", **quick, **options})
    expected = ort.InferenceSession(path).run(None, samples.feed)
    found = snn_ops.Session(conversion.proto()).run(samples.feed)
    assert conversion.layers
    errors = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(found, expected, strict=True)]
    return float(max(errors))


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name, schedule, tmp_path) -> None:
    model = build(name)
    path = save(model, tmp_path / "m.onnx")
    samples = check_samples(images(), [InputSpec.of(value) for value in load_ann(path).inputs])
    assert relative_error(model, path, samples, schedule=schedule) < 0.02


def test_two_inputs_and_two_outputs(tmp_path) -> None:
    model = text_model(
        """m (float[N,6] x, float[N,4] z) => (float[N,3] y, float[N,2] w)
        <float[6,5] A, float[4,5] B, float[5,3] C, float[5,2] D> {
          h = MatMul(x, A)  a = Relu(h)  k = MatMul(z, B)  b = Tanh(k)  s = Add(a, b)  y = MatMul(s, C)  w = MatMul(a, D) }"""
    )
    path = save(model, tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    samples = Samples({n: rng.normal(size=(50, k)).astype(np.float32) for n, k in (("x", 6), ("z", 4))}, None)
    assert relative_error(model, path, samples) < 0.02


def test_height_and_width_stay_free(tmp_path) -> None:
    model = text_model(
        """m (float[N,2,H,W] x) => (float[N,3,H,W] y) <float[4,2,3,3] A, float[3,4,3,3] B> {
          h = Conv<pads = [1, 1, 1, 1]>(x, A)  a = Relu(h)  c = Conv<pads = [1, 1, 1, 1]>(a, B)  b = Relu(c)
          y = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(b) }"""
    )
    path = save(model, tmp_path / "m.onnx")
    conversion = convert(path, images(), percentile=100.0)
    session = snn_ops.Session(conversion.proto(), n_steps=64)
    for shape in ((3, 2, 8, 8), (2, 2, 5, 11)):
        x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        (expected,) = ort.InferenceSession(path).run(None, {"x": x})
        (found,) = session.run(x)
        assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.03


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(("opset", "op_type"), [(9, "Upsample"), (10, "Resize")])
def test_old_upsampling(opset, op_type, mode, tmp_path) -> None:
    """Before opset 11 a sample lay where it does in `asymmetric` now."""
    model = text_model(
        f"""{IMAGE} <float[4,2,3,3] W, float[4,4,1,1] V, float[4,3] Z, float[4] SCALES> {{
          first = Conv(x, W)  a = Relu(first)  u = {op_type}<mode = "{mode}">(a, SCALES)  c = Conv(u, V)
          b = Relu(c)  {END} }}""",
        opset=opset,
        SCALES=np.asarray([1, 1, 2.5, 2.5]),
    )
    assert relative_error(model, save(model, tmp_path / "m.onnx"), Samples({"x": images()}, None)) < 0.02


def test_external_data(tmp_path) -> None:
    model = build("residual")
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    samples = Samples({"x": images()}, None)
    assert relative_error(model, str(tmp_path / "m.onnx"), samples) < 0.02


@pytest.mark.parametrize("branch", [True, False])
def test_a_constant_choice_between_subgraphs(branch, tmp_path) -> None:
    """If with a constant condition, as tracing exporters leave it."""
    model = text_model(
        """m (float[N,6] x) => (float[N,3] y) <float[6,5] A, float[5,3] C, float[5,3] D> {
          c = Constant<value = bool[1] {1}>()  h = MatMul(x, A)  a = Relu(h)
          y = If (c) <then_branch = t () => (float[N,3] p) { p = MatMul(a, C) },
                      else_branch = e () => (float[N,3] q) { q = MatMul(a, D) }> }""".replace(
            "{1}", f"{{{int(branch)}}}"
        )
    )
    path = save(model, tmp_path / "m.onnx")
    samples = Samples({"x": np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)}, None)
    assert relative_error(model, path, samples) < 0.02


def choice(before: str) -> onnx.ModelProto:
    """The branch follows from a shape; both take `h` from outside."""
    return text_model(
        f"""m (float[N,6] x) => (float[N,3] y) <float[6,6] A, float[6,6] B, float[6,3] C, int64[1] ONE, int64[1] SIX> {{
          {before}  s = Shape(h)  n = Gather(s, ONE)  same = Equal(n, SIX)
          [choice] c = If (same) <then_branch = t () => (p) {{ p = Relu(h) }}, else_branch = e () => (q) {{ q = Tanh(h) }}>
          k = MatMul(c, B)  b = Relu(k)  y = MatMul(b, C) }}""",
        ONE=np.ones(1),
        SIX=np.asarray([6]),
    )


def test_a_subgraph_that_takes_a_value_from_outside(tmp_path) -> None:
    samples = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
    path = save(choice("h = MatMul(x, A)"), tmp_path / "m.onnx")
    _agrees(convert(path, twice(samples), code="rate"), tmp_path, samples)
    path = save(choice("g = MatMul(x, A)  a = Relu(g)  h = MatMul(a, A)"), tmp_path / "m.onnx")
    with pytest.raises(RefusedError, match="node 'choice': If has a subgraph that uses 'h' from outside"):
        convert(path, twice(samples), code="rate")


def test_a_scan_before_the_first_neuron(tmp_path) -> None:
    """Its body has another batch whenever the model has; what shape inference said of it must not stay."""
    model = text_model(
        """m (float[N,5,6] x) => (float[N,5,3] y) <float[6,4] B, float[4,3] C, int64[1] ONE> {
          z = ReduceSum<keepdims = 0>(x, ONE)
          last, s = Scan<num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
            body = b (h, i) => (k, o) { k = Add(h, i)  o = Tanh(k) }>(z, x)
          m = MatMul(s, B)  b = Relu(m)  y = MatMul(b, C) }""",
        ONE=np.ones(1),
    )
    samples = np.random.default_rng(0).normal(size=(24, 5, 6)).astype(np.float32)
    _agrees(convert(save(model, tmp_path / "m.onnx"), twice(samples), code="rate"), tmp_path, samples)


@pytest.mark.parametrize("length", ["6", "L"])
@pytest.mark.parametrize("features", ["features = Identity(FEATURES)", "gs = Shape(g)  features = Gather(gs, SECOND)"])
@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_sequences_with_the_length_in_front(schedule, features, length, tmp_path) -> None:
    """A transformer layer as PyTorch exports it: heads merged with the batch, rows merged for a Gemm, Relu on [L, B, F]."""
    model = text_model(
        f"""m (float[N,{length},8] x) => (float[N,3] y)
        <float[8,8] I, float[8,8] Q, float[8,8] K, float[8,8] V, float[8,8] O, float[8] P, float[8,12] A, float[12,8] B,
         float[8,3] Z, int64[3] HEADS, int64[1] FEATURES, int64[2] ROWS, int64[1] FIRST, int64[1] SECOND,
         int64[1] THIRD> {{
          h = MatMul(x, I)  a = Tanh(h)  t = Transpose<perm = [1, 0, 2]>(a)
          q = MatMul(t, Q)  k = MatMul(t, K)  v = MatMul(t, V)
          qh = Reshape(q, HEADS)  kh = Reshape(k, HEADS)  vh = Reshape(v, HEADS)
          qt = Transpose<perm = [1, 0, 2]>(qh)  kt = Transpose<perm = [1, 2, 0]>(kh)  vt = Transpose<perm = [1, 0, 2]>(vh)
          s = MatMul(qt, kt)  w = Softmax<axis = -1>(s)  o = MatMul(w, vt)  u = Transpose<perm = [1, 0, 2]>(o)
          r = Reshape(u, ROWS)  g = Gemm<transB = 1>(r, O, P)
          shape = Shape(t)  n = Slice(shape, FIRST, THIRD)  {features}
          target = Concat<axis = 0>(n, features)  l = Reshape(g, target)
          e = Add(l, t)  f = MatMul(e, A)  c = Relu(f)  d = MatMul(c, B)  b = Add(d, e)
          back = Transpose<perm = [1, 0, 2]>(b)  mean = ReduceMean<keepdims = 0>(back, SECOND)  y = MatMul(mean, Z) }}""",
        opset=18,
        scale=0.4,
        HEADS=np.asarray([6, -1, 4]),
        FEATURES=np.asarray([8]),
        ROWS=np.asarray([-1, 8]),
        FIRST=np.asarray([0]),
        SECOND=np.asarray([1]),
        THIRD=np.asarray([2]),
    )
    path = save(model, tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(40, 6, 8)).astype(np.float32)
    assert relative_error(model, path, Samples({"x": x}, None), schedule=schedule) < 0.02


def test_a_value_with_the_length_in_front_goes_into_time_twice(tmp_path) -> None:
    """Its running mean into LayerNormalization, its mean over all steps around the last neuron."""
    model = text_model(
        """m (float[N,5,4] x) => (float[N,5,4] y) <float[4,4] A, float[4,4] B, float[4,4] C, float[4] ONES> {
          t = Transpose<perm = [1, 0, 2]>(x)  h = MatMul(t, A)  a = Relu(h)  r = MatMul(a, B)
          n = LayerNormalization<axis = -1>(r, ONES)  m = MatMul(n, B)  b = Relu(m)  c = MatMul(b, C)  s = Add(c, r)
          y = Transpose<perm = [1, 0, 2]>(s) }""",
        ONES=np.ones(4),
    )
    samples = np.random.default_rng(0).normal(size=(24, 5, 4)).astype(np.float32)
    _agrees(convert(save(model, tmp_path / "m.onnx"), twice(samples), code="rate"), tmp_path, samples)


def test_rows_are_split_by_a_target_that_infers_another_length(tmp_path) -> None:
    """A mask for the heads of attention, of free length: [N h, 1, L] -> [N, h, -1, L]."""
    model = text_model(
        """m (float[N,L] x) => (float[N,3] y)
        <float[1,3] A, float[3,3] B, int64[1] ONE, int64[1] TWO, int64[1] MINUS, int64[4] EACH, int64[1] LAST> {
          n = Shape<start = 0, end = 1>(x)  l = Shape<start = 1, end = 2>(x)  nn = Mul(n, TWO)
          s1 = Concat<axis = 0>(n, ONE, ONE, l)  m1 = Reshape(x, s1)  m2 = Expand(m1, EACH)
          s2 = Concat<axis = 0>(nn, ONE, l)  m3 = Reshape(m2, s2)
          s3 = Concat<axis = 0>(n, TWO, MINUS, l)  m4 = Reshape(m3, s3)  m5 = ReduceMean<keepdims = 0>(m4, LAST)
          f = Flatten(m5)  g = ReduceMean(f, ONE)  h = MatMul(g, A)  a = Relu(h)  y = MatMul(a, B) }""",
        opset=18,
        ONE=np.ones(1),
        TWO=np.asarray([2]),
        MINUS=-np.ones(1),
        EACH=np.asarray([1, 2, 1, 1]),
        LAST=np.asarray([-1]),
    )
    samples = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
    _agrees(convert(save(model, tmp_path / "m.onnx"), twice(samples), code="rate"), tmp_path, samples)


BY_BATCH = """m (float[N,4,8] x) => (float[N,5,8] y)
    <float[8,8] A, float[8,8] B, float[1,1,8] TOKEN, int64[1] ZERO, int64[1] ONE, int64[2] REST> {{
      h = MatMul(x, A)  a = Relu(h)  s = Shape({of})  n = Slice(s, ZERO, ONE)  lengths = Concat<axis = 0>(n, REST)
      t = {make}  u = Sin(t)  j = Concat<axis = 1>(u, a)  k = MatMul(j, B)  b = Relu(k)  y = MatMul(b, A) }}"""


@pytest.mark.parametrize("of", ["x", "a"])
@pytest.mark.parametrize("make", ["Expand(TOKEN, lengths)", "ConstantOfShape<value = float[1] {0.5}>(lengths)"])
def test_a_row_for_each_sample_that_is_always_the_same(make, of, tmp_path) -> None:
    """A class token for a batch that is read off the input or off a value between neurons; Sin of it is no activation."""
    arrays = {"ZERO": np.zeros(1), "ONE": np.ones(1), "REST": np.asarray([1, 8])}
    path = save(text_model(BY_BATCH.format(make=make, of=of), **arrays), tmp_path / "m.onnx")
    samples = np.random.default_rng(0).normal(size=(24, 4, 8)).astype(np.float32)
    conversion = convert(path, twice(samples), code="rate")
    assert [layer.activation for layer in conversion.layers] == ["Relu", "Relu"]
    assert conversion.work.analog < conversion.work.multiply_adds / 2
    _agrees(conversion, tmp_path, samples)


@pytest.mark.parametrize("repeat", ["Expand(QUERIES, lengths)", "Tile(QUERIES, lengths)"])
def test_queries_for_each_sample_look_into_a_memory(repeat, tmp_path) -> None:
    """A decoder as torch exports it: the length in front, keys of the memory reshaped by the shape of the queries."""
    model = text_model(
        f"""m (float[N,4,8] x) => (float[N,3,8] y)
        <float[8,8] A, float[8,8] B, float[8,8] K, float[3,1,8] QUERIES,
         int64[1] ONE, int64[1] TWO, int64[1] FOUR, int64[1] EIGHT, int64[1] REST> {{
          memory = Transpose<perm = [1, 0, 2]>(x)  count = Shape<start = 0, end = 1>(x)
          lengths = Concat<axis = 0>(ONE, count, ONE)  q0 = {repeat}
          h = MatMul(q0, A)  g = ReduceMean<axes = [0]>(memory)  s = Add(h, g)  a = Relu(s)  q1 = MatMul(a, B)
          samples = Shape<start = 1, end = 2>(q1)  heads = Mul(samples, TWO)  to = Concat<axis = 0>(REST, heads, FOUR)
          k0 = MatMul(memory, K)  k1 = Reshape(k0, to)  q2 = Reshape(q1, to)
          q = Transpose<perm = [1, 0, 2]>(q2)  k = Transpose<perm = [1, 2, 0]>(k1)  v = Transpose<perm = [1, 0, 2]>(k1)
          scores = MatMul(q, k)  w = Softmax<axis = -1>(scores)  o = MatMul(w, v)  turned = Transpose<perm = [1, 0, 2]>(o)
          back = Concat<axis = 0>(REST, samples, EIGHT)  r = Reshape(turned, back)  u = Add(a, r)  m = MatMul(u, A)
          b = Relu(m)  c = MatMul(b, B)  e = Add(u, c)  y = Transpose<perm = [1, 0, 2]>(e) }}""",
        ONE=np.ones(1),
        TWO=np.full(1, 2),
        FOUR=np.full(1, 4),
        EIGHT=np.full(1, 8),
        REST=np.full(1, -1),
    )
    samples = np.random.default_rng(0).normal(size=(24, 4, 8)).astype(np.float32)
    path = save(model, tmp_path / "m.onnx")
    conversion = convert(path, twice(samples), code="rate")
    assert len(conversion.layers) == 2
    _agrees(conversion, tmp_path, samples)


@pytest.mark.parametrize(
    "between",
    [
        "n = GroupNormalization<num_groups = 2>(a, ONES, ONES)  b = Elu(n)",
        'n = com.microsoft.FusedConv<activation = "Relu">(a, K)  b = Elu(n)',
    ],
)
def test_where_shape_inference_knows_nothing(between, tmp_path) -> None:
    """Ranks and types behind operators that it does not know come from a run."""
    model = text_model(
        f"""m (float[N,2,H,W] x) => (float[N,3] y) <float[4,2,3,3] V, float[4,4,1,1] K, float[4] ONES, float[4,3] Z>
        {{ c = Conv(x, V)  a = Relu(c)  {between}  d = Conv(b, K)  e = Relu(d)  g = GlobalAveragePool(e)
           f = Flatten(g)  y = MatMul(f, Z) }}""",
        opset=21,
        ONES=np.ones(4),
    )
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    samples = np.random.default_rng(0).normal(size=(24, 2, 7, 8)).astype(np.float32)
    conversion = convert(save(model, tmp_path / "m.onnx"), twice(samples), code="rate")
    assert [layer.activation for layer in conversion.layers][-2:] == ["Elu", "Relu"]
    _agrees(conversion, tmp_path, samples)


def test_a_loop_before_the_first_neuron(tmp_path) -> None:
    """Its result's rank is known to nobody; plain ONNX Runtime needs it for the states."""
    model = text_model(
        """m (float[N,8] x) => (float[N,4] y) <float[8,8] W, float[8,16] V, float[16,4] Z, int64[1] COUNT> {
             l = Loop(COUNT, , x) <body = b (int64 i, bool go, h) => (bool on, k) {
                 on = Identity(go)  p = MatMul(h, W)  k = Tanh(p) }>
             c = MatMul(l, V)  a = Relu(c)  y = MatMul(a, Z) }""",
        COUNT=np.asarray([3]),
    )
    samples = np.random.default_rng(0).normal(size=(24, 8)).astype(np.float32)
    _agrees(convert(save(model, tmp_path / "m.onnx"), twice(samples), code="rate"), tmp_path, samples)


def _agrees(conversion: Conversion, tmp_path: Path, samples: np.ndarray) -> None:
    """The spiking model approaches the trained one, with native operators and in plain ONNX Runtime."""
    path = tmp_path / "spiking.onnx"
    conversion.save(path)
    (expected,) = ort.InferenceSession(conversion.ann.path).run(None, {"x": samples})
    (found,) = snn_ops.Session(path, n_steps=64).run(samples)
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
    (plain,) = ort.InferenceSession(path).run(["y"], {"x": samples, "n_steps": np.asarray(64)})
    np.testing.assert_allclose(plain, found, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Elu"])
@pytest.mark.parametrize("neuron", ["auto", "if-burst", "lif"])
def test_signals_that_vanish_stay_numbers(neuron, activation, tmp_path) -> None:
    """A deep network with small random weights: behind some layers nothing is left but the last bits of float32."""
    model = text_model(
        f"""m (float[N,6] x) => (float[N,3] y) <float[6,6] A, float[6,6] B, float[6,3] Z, float[3] C> {{
          h = MatMul(x, A)  a = {activation}(h)  k = MatMul(a, B)  b = {activation}(k)  m = MatMul(b, Z)  y = Add(m, C) }}""",
        A=1e-22 * np.eye(6),
        B=2e-23 * np.eye(6),
    )
    samples = np.random.default_rng(0).uniform(0.1, 1, (24, 6)).astype(np.float32)
    conversion = convert(save(model, tmp_path / "m.onnx"), samples, neuron=neuron)
    (found,) = snn_ops.Session(conversion.proto(), n_steps=32).run(samples)
    expected = ort.InferenceSession(tmp_path / "m.onnx").run(None, {"x": samples})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("code", ["rate", "delta"])
@pytest.mark.parametrize(
    ("body", "weights"),
    [
        ("e = MatMul(x, A)  h = Reshape(e, HEADS)  r = Relu(h)  y = MatMul(r, B)", (2, 4)),
        ("h = MatMul(x, A)  c = Concat<axis = 2>(h, x)  r = Tanh(c)  y = MatMul(r, B)", (16, 3)),
        (
            (
                "k = MatMul(x, A)  t = Transpose<perm = [0, 2, 1]>(k)  s = MatMul(x, t)  p = Softmax<axis = 2>(s)  "
                "o = MatMul(p, x)  r = Relu(o)  y = MatMul(r, B)"
            ),
            (8, 3),
        ),
    ],
)
def test_a_length_that_is_free_stays_free(body, weights, code, tmp_path) -> None:
    """No numbers of neurons lie along it: what was calibrated at one length works at another."""
    model = text_model(
        f"m (float[N,L,8] x) => (float[] y) <float[8,8] A, float[{weights[0]},{weights[1]}] B, int64[4] HEADS> {{ {body} }}",
        HEADS=np.asarray([0, -1, 4, 2]),
        scale=0.3,
    )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path = save(model, tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    spiking = convert(path, rng.normal(size=(48, 12, 8)).astype(np.float32), code=code, n_steps=64).proto()
    for length in (12, 20, 5):
        x = rng.normal(size=(4, length, 8)).astype(np.float32)
        (expected,) = ort.InferenceSession(path).run(None, {"x": x})
        (found,) = snn_ops.Session(spiking).run(x)
        assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("code", ["rate", "delta"])
def test_names_that_we_make_up_may_be_the_models_own(code, streaming, tmp_path) -> None:
    """Of outputs, values and nodes."""
    names = "a_spikes a_analog a_total a_IF act_IF act_function a_TimeMean a_MultiThreshold a_TimeLast y_before_softmax".split()
    chain = "  ".join(
        f"[n{i}_TimeMean] {b} = Neg({a})" for i, (a, b) in enumerate(zip(["b", *names[:-1]], names, strict=True))
    )
    model = text_model(
        f"""m (float[N,6] x) => (float[N,4] y, float[N,8] a, float[N,4] act_spike_rate, float[N,4] y_before_softmax)
        <float[6,8] A, float[8,4] B> {{
          [a_TimeMean] h = MatMul(x, A)  [act] a = Relu(h)  [act_IF] b = MatMul(a, B)  {chain}
          [a_total] y = Softmax(a_TimeLast)  act_spike_rate = Neg(a_analog) }}"""
    )
    path = save(model, tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    ann = load_ann(path)
    conversion = convert(ann, x, code=code, n_steps=32, streaming=streaming)
    conversion.save(tmp_path / "s.onnx")
    expected = dict(
        zip([o.name for o in model.graph.output], ort.InferenceSession(path).run(None, {"x": x}), strict=True)
    )
    session = snn_ops.Session(str(tmp_path / "s.onnx"))
    assert session.output_names == list(expected)
    for name, found in zip(session.output_names, session.run(x), strict=True):
        assert np.linalg.norm(found - expected[name]) < 0.03 * np.linalg.norm(expected[name])
    result = evaluate(SpikingModel(tmp_path / "s.onnx"), Samples({"x": x}, None), [32], against=ann)
    assert set(result.steps[0].outputs) == set(expected)
    assert result.steps[0].relative_error < 0.03


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
@pytest.mark.parametrize("code", ["rate", "delta"])
def test_whole_numbers_between_neurons(code, schedule, tmp_path) -> None:
    """Truth values and numbers of classes: they leave as they are after the last step, and go on as floats."""
    model = text_model(
        """m (float[N,6] x) => (float[N,4] y, bool[N,4] large, int64[N,1] best)
        <float[6,8] A, float[8,4] B, float[5,4] C, float[] ZERO, int64[2] SHAPE> {
          h = MatMul(x, A)  a = Relu(h)  k = MatMul(a, B)  r = Tanh(k)  large = Greater(k, ZERO)
          best = ArgMax<axis = 1>(k)  f = Cast<to = 1>(large)  s = Reshape(best, SHAPE)  b = Cast<to = 1>(s)
          c = Concat<axis = 1>(f, b)  l = MatMul(c, C)  z = Relu(l)  y = Add(z, r) }""",
        SHAPE=np.asarray([-1, 1]),
        ZERO=np.asarray(0),
    )
    path = save(model, tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    spiking = convert(
        path, x, code=code, schedule=schedule, **({"n_steps": 256} if schedule == "stepped" else {})
    ).proto()
    expected = ort.InferenceSession(path).run(None, {"x": x})
    found = snn_ops.Session(spiking).run(x)
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
    assert np.mean(found[1] == expected[1]) > 0.97
    assert np.mean(found[2] == expected[2]) > 0.95
    on_no_step = (found[1] == expected[1]).all(axis=1) & (found[2] == expected[2]).all(axis=1)
    assert np.linalg.norm((found[0] - expected[0])[on_no_step]) < 0.05 * np.linalg.norm(expected[0])
