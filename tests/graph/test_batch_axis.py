"""The proof that axis 0 is a batch, on models that treat it so and on models that do not."""

from __future__ import annotations

import numpy as np
import pytest

from converter.errors import RefusedError
from converter.graph.batch_rules import OPEN
from converter.normalise.ann import load_ann
from converter.normalise.proof import prove, trace
from tests.models import convnet, mlp, save, text_model

GOOD = {
    "mlp": mlp(),
    "mlp with a fixed batch": mlp(batch="1"),
    "mlp with a batch of 10": mlp(batch="10"),
    "convnet": convnet(),
    "transposed and back": text_model(
        """m (float[N,3,4] x) => (float[N,3,4] y) {
          t = Transpose<perm = [1, 0, 2]>(x)  s = Softmax<axis = 2>(t)  y = Transpose<perm = [1, 0, 2]>(s) }"""
    ),
    "batch read off the input": text_model(
        """m (float[N,2,6] x) => (float[N,12] y) <int64[1] ZERO, int64[1] REST> {
          shape = Shape(x)  n = Gather(shape, ZERO)  target = Concat<axis = 0>(n, REST)  r = Relu(x)
          y = Reshape(r, target) }""",
        ZERO=np.zeros(1),
        REST=-np.ones(1),
    ),
    "rows merged into the batch and split again": text_model(
        """m (float[N,5,4] x) => (float[N,5,3] y) <int64[2] A, float[4,3] W, int64[3] B> {
          rows = Reshape(x, A)  h = MatMul(rows, W)  r = Relu(h)  y = Reshape(r, B) }""",
        A=np.asarray([-1, 4]),
        B=np.asarray([-1, 5, 3]),
    ),
    "reductions and norms inside a sample": text_model(
        """m (float[N,5,4] x) => (float[N,4] y) <float[4] G, float[4] B, int64[1] AXIS> {
          n = LayerNormalization<axis = -1>(x, G, B)  r = Relu(n)  y = ReduceMean<axes = [1], keepdims = 0>(r) }""",
        AXIS=np.ones(1),
    ),
    "attention": text_model(
        """m (float[N,5,4] x) => (float[N,5,4] y) <float[4,4] W> {
          q = MatMul(x, W)  t = Transpose<perm = [0, 2, 1]>(x)  s = MatMul(q, t)  p = Softmax<axis = -1>(s)
          y = MatMul(p, x) }"""
    ),
    "attention with Einsum": text_model(
        """m (float[N,5,4] x) => (float[N,5,4] y) <float[4,4] W> {
          q = Einsum<equation = "bld,de->lbe">(x, W)  s = Einsum<equation = "lbe, bme -> blm">(q, x)
          p = Softmax<axis = -1>(s)  y = Einsum<equation = "blm,bmd->bld">(p, x) }"""
    ),
}


BAD = {
    "softmax over the samples": (
        "m (float[N,4] x) => (float[N,4] y) { y = Softmax<axis = 0>(x) }",
        "node 'y': Softmax works along the axis of the samples",
    ),
    "mean over the samples": (
        "m (float[N,4] x) => (float[N,4] y) { m = ReduceMean<axes = [0], keepdims = 1>(x)  y = Sub(x, m) }",
        "ReduceMean reduces over the samples",
    ),
    "samples in axis 1 of the output": (
        "m (float[N,4] x) => (float[4,N] y) { y = Transpose<perm = [1, 0]>(x) }",
        "output 'y' holds the samples in axis 1",
    ),
    "cut": (
        "m (float[N,4] x) => (float[N,4] y) <int64[1] A, int64[1] B> { y = Slice(x, A, B, A) }",
        "Slice cuts the axis of the samples",
    ),
    "every sample with every other": (
        "m (float[N,4] x) => (float[N,N] y) { t = Transpose<perm = [1, 0]>(x)  y = MatMul(x, t) }",
        "MatMul multiplies every sample with every other",
    ),
    "sum over the samples": (
        'm (float[N,4] x) => (float[N,4] y) { s = Einsum<equation = "ij->j">(x)  y = Add(x, s) }',
        "node 's': Einsum sums over the samples",
    ),
    "every sample with every other, by Einsum": (
        'm (float[N,4] x) => (float[N,N] y) { y = Einsum<equation = "ik,jk->ij">(x, x) }',
        "Einsum combines operands whose samples lie in different axes",
    ),
    "running sum over the samples": (
        "m (float[N,4] x) => (float[N,4] y) <int64[1] A> { y = CumSum(x, A) }",
        "",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_proves(name, tmp_path) -> None:
    ann = load_ann(save(GOOD[name], tmp_path / "m.onnx"))
    shape = [length if isinstance(length, int) else 3 for length in ann.inputs[0].shape]
    feed = {str(ann.inputs[0].name): np.random.default_rng(0).normal(size=(3, *shape[1:])).astype(np.float32)}
    axes = prove(ann, feed).axes
    assert not axes.unproven
    assert axes.axis[str(ann.outputs[0].name)] == 0


@pytest.mark.parametrize("name", BAD)
def test_refuses(name, tmp_path) -> None:
    text, reason = BAD[name]
    zero_one = {"A": np.zeros(1), "B": np.ones(1)}
    with pytest.raises(RefusedError) as refused:
        ann = load_ann(save(text_model(text, **zero_one), tmp_path / "m.onnx"))
        prove(ann, {"x": np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)})
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_shapes_of_what_has_no_rule_depend_on_no_sample(tmp_path) -> None:
    model = text_model(
        """m (float[N,2,6] x) => (float[N,12] y) <int64[1] ZERO, int64[1] REST> {
          e = Einsum<equation = "...ij->...ij">(x)  shape = Shape(e)  n = Gather(shape, ZERO)
          target = Concat<axis = 0>(n, REST)  y = Reshape(e, target) }""",
        ZERO=np.zeros(1),
        REST=-np.ones(1),
    )
    axes = trace(load_ann(save(model, tmp_path / "m.onnx"))).axes
    assert axes.axis["e"] is OPEN
    assert axes.axis["target"] is None
