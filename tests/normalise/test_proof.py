"""What following the samples does not tell, running them does; the model that is proven stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter.errors import RefusedError
from converter.graph.build import to_proto
from converter.graph.shapes import MANY_SAMPLES
from converter.normalise.ann import Ann, load_ann
from converter.normalise.proof import prove, trace
from tests.models import save, text_model
from tests.passes import normal, op_types, outputs


def test_experiment_catches_what_has_no_rule(tmp_path) -> None:
    """MeanVarianceNormalization is not followed; running samples together and apart shows that it mixes them."""
    model = text_model("m (float[N,4] x) => (float[N,4] y) { y = MeanVarianceNormalization<axes = [0]>(x) }")
    ann = load_ann(save(model, tmp_path / "m.onnx"))
    with pytest.raises(RefusedError, match="differs when they run one by one"):
        prove(ann, {"x": np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)})


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


@pytest.mark.parametrize(
    ("body", "is_batch"),
    [
        ("y = Softmax<axis = 0>(x)", False),
        ("c = CumSum(x, ZERO)  y = Relu(c)", False),
        ("a = Add(x, ROWS)  y = Relu(a)", True),
        ("a = Gather(x, ORDER)  y = Relu(a)", False),
    ],
)
def test_a_batch_is_called_so_only_where_its_rows_are_independent(body, is_batch, tmp_path) -> None:
    """A fixed length of axis 0 may be that of a sequence: then the samples are said to mix, and nothing else."""
    ann = ann_of(
        f"m (float[5,4] x) => (float[5,4] y) <float[5,4] ROWS, int64[] ZERO, int64[5] ORDER> {{ {body} }}",
        tmp_path,
        ZERO=0,
        ORDER=[4, 3, 2, 1, 0],
    )
    with pytest.raises(RefusedError) as refused:
        prove(ann, {"x": normal(5, 4)})
    assert ("It was exported for a batch of 5" in str(refused.value)) == is_batch
    assert ("so axis 0 is not a batch of independent samples" in str(refused.value)) != is_batch


def ann_of(text: str, folder: Path, **arrays: list[int]) -> Ann:
    model = text_model(text, opset=18, **{name: np.asarray(array) for name, array in arrays.items()})
    return load_ann(save(model, folder / "m.onnx"))


LAYER_THAT_MIXES = """m (float[N,5,4] x) => (float[M,3] y) <float[1,9,4] W, float[1,9,3] R, int64[1] ZERO> {
  z, last = GRU<hidden_size = 3>(x, W, R)  y = Squeeze(last, ZERO) }"""
LAYER_BEFORE_A_MIX = """m (float[N,4] x) => (float[N,3] y) <float[1,9,4] W, float[1,9,3] R, int64[1] ZERO> {
  u = Unsqueeze(x, ZERO)  z, last = GRU<hidden_size = 3>(u, W, R)  s = Squeeze(last, ZERO)
  m = ReduceMean<keepdims = 1>(s, ZERO)  y = Sub(s, m) }"""


def test_recurrent_layers_are_named_as_the_reason(tmp_path) -> None:
    """Only where they are: not where another node mixes samples, and not twice."""
    with pytest.raises(RefusedError, match="GRU runs through the samples as if they were a sequence") as refused:
        prove(ann_of(LAYER_THAT_MIXES, tmp_path, ZERO=[0]), {"x": normal(5, 5, 4)})
    assert "keeps a state of its own" not in str(refused.value)
    with pytest.raises(RefusedError, match=r"^node 'm': ReduceMean reduces over the samples, so axis 0 is not a batch"):
        prove(ann_of(LAYER_BEFORE_A_MIX, tmp_path, ZERO=[0]), {"x": normal(5, 4)})


SEQUENCES = """m (float[N,5,8] x) => (float[N,5,3] y)
  <float[8,3] W, int64[2] ROWS, int64[1] ZERO, int64[1] TWO, int64[1] LAST> {
  t = Transpose<perm = [1, 0, 2]>(x)  a = Relu(t)  merged = Reshape(a, ROWS)  g = Gemm(merged, W)  shape = Shape(t)
  n = Slice(shape, ZERO, TWO)  to = Concat<axis = 0>(n, LAST)  split = Reshape(g, to)  r = Relu(split)
  y = Transpose<perm = [1, 0, 2]>(r) }"""


def test_a_copy_is_proven(tmp_path) -> None:
    """The loaded model stays as it is; its copy computes the same."""
    ann = ann_of(SEQUENCES, tmp_path, ROWS=[-1, 8], ZERO=[0], TWO=[2], LAST=[3])
    before = to_proto(ann.model).SerializeToString(deterministic=True)
    x = normal(7, 5, 8)
    trained, traced = prove(ann, {"x": x}), trace(ann)
    assert to_proto(ann.model).SerializeToString(deterministic=True) == before
    assert trained.ann is ann
    assert [trained.axes.axis[name] for name in ("x", "a", "r", "y")] == [0, 1, 1, 0]
    assert trained.axes == traced.axes
    assert trained.shapes["x"] == (MANY_SAMPLES, 5, 8)
    names = [report.name for report in trained.reports[len(ann.reports) :]]
    assert names == ["unmerge rows", "remove unused nodes", "local shapes", "remove unused nodes"]
    assert trained.reports[: len(ann.reports)] == ann.reports
    assert "Gemm" not in op_types(trained.model)
    assert all(value.shape is not None for node in trained.model.graph for value in node.outputs)
    np.testing.assert_allclose(outputs(trained.model, x=x)[0], outputs(ann.model, x=x)[0], rtol=1e-5, atol=1e-6)
