"""Targets of Reshape and Expand do not depend on the number of rows."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

import snn_ops
from converter.conversion.main import convert
from converter.graph.build import constant_of
from converter.graph.passes import PassReport
from converter.normalise.local_shapes import local_shapes
from tests.models import samples, save, text_model
from tests.passes import axes_of, from_text, normal, op_types, outputs, shapes_of


def test_reshape_to_the_inputs_batch_is_made_local(tmp_path) -> None:
    """The exporter read the batch off the input; behind a neuron there are T times as many rows."""
    proto = text_model(
        """m (float[N,2,6] x) => (float[N,3] y) <float[6,4] W, int64[1] ZERO, int64[1] REST, float[8,5] V, float[5,3] U> {
          shape = Shape(x)  n = Gather(shape, ZERO)  target = Concat<axis = 0>(n, REST)  h = MatMul(x, W)  a = Relu(h)
          flat = Reshape(a, target)  k = MatMul(flat, V)  b = Relu(k)  y = MatMul(b, U) }""",
        ZERO=np.zeros(1),
        REST=-np.ones(1),
    )
    x = samples(proto)
    conversion = convert(save(proto, tmp_path / "m.onnx"), x, percentile=100.0)
    (expected,) = ort.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    (found,) = snn_ops.Session(conversion.proto(), n_steps=400).run(x)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.02
    assert "Shape" not in {node.op_type for node in conversion.proto().graph.node}


BATCH_FROM_INPUT = """m (float[N,2,6] x) => (float[N,12] y) <int64[1] ZERO, int64[1] REST> {
  shape = Shape(x)  n = Gather(shape, ZERO)  target = Concat<axis = 0>(n, REST)  r = Relu(x)  y = Reshape(r, target) }"""


def localised(text: str, **arrays: np.ndarray) -> tuple[ir.Model, PassReport, np.ndarray]:
    """The model after the pass, with the same numbers as before it."""
    model = from_text(text, **arrays)
    x = normal(4, *(length for length in list(model.graph.inputs[0].shape)[1:]))
    before = outputs(model, x=x)
    report = local_shapes(model, axes_of(model), shapes_of(model))
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])
    return model, report, x


def target_of(model: ir.Model, name: str = "y") -> list[int]:
    node = next(node for node in model.graph if node.outputs[0].name == name)
    return constant_of(node.inputs[1]).tolist()


def test_a_target_from_the_inputs_shape() -> None:
    model, report, _ = localised(BATCH_FROM_INPUT, ZERO=np.zeros(1), REST=-np.ones(1))
    assert target_of(model) == [0, 12]
    assert report.changed == (
        "Reshape 'y': the first entry of its target is 0 now: the number of rows follows from the data",
    )
    assert not report.declined


def test_an_expand_keeps_its_rows() -> None:
    model, report, _ = localised(
        """m (float[N,1,4] x) => (float[N,3,4] y) <int64[1] ZERO, int64[1] ONE, int64[2] REST> {
          s = Shape(x)  n = Slice(s, ZERO, ONE)  t = Concat<axis = 0>(n, REST)  r = Relu(x)  y = Expand(r, t) }""",
        ZERO=np.zeros(1),
        ONE=np.ones(1),
        REST=np.asarray([3, 4]),
    )
    assert target_of(model) == [1, 3, 4]
    assert len(report.changed) == 1


def test_samples_in_another_axis_are_inferred() -> None:
    model, report, _ = localised(
        """m (float[N,5,4] x) => (float[N,5,4] y)
        <int64[1] ZERO, int64[1] ONE, int64[1] FIVE, int64[2] REST, int64[1] FOUR> {
          s = Shape(x)  n = Slice(s, ZERO, ONE)  t = Transpose<perm = [1, 0, 2]>(x)  to = Concat<axis = 0>(FIVE, n, REST)
          h = Reshape(t, to)  f = Transpose<perm = [1, 0, 2, 3]>(h)  back = Concat<axis = 0>(n, FIVE, FOUR)
          y = Reshape(f, back) }""",
        ZERO=np.zeros(1),
        ONE=np.ones(1),
        FIVE=np.full(1, 5),
        REST=np.asarray([2, 2]),
        FOUR=np.full(1, 4),
    )
    assert target_of(model, "h") == [5, -1, 2, 2]
    assert report.changed[0] == "Reshape 'h': the number of samples, in axis 1, is inferred from the data"


def test_it_declines_where_another_length_is_open() -> None:
    """Rows merge into the batch, whose number would have to be inferred too."""
    _, report, _ = localised(
        "m (float[N,6,4] x) => (float[M,2,K] y) <int64[3] T> { y = Reshape(x, T) }", T=np.asarray([-1, 2, 4])
    )
    assert report.changed == ()
    model = from_text(
        "m (float[N,6,4] x) => (float[M,2,K] y) <int64[3] T> { y = Reshape(x, T) }", T=np.asarray([33, 2, -1])
    )
    report = local_shapes(model, axes_of(model), shapes_of(model))
    assert report.declined == ("Reshape 'y': its target [33, 2, -1] leaves another length open already",)


def test_a_computed_target_is_cut_and_put_together_where_lengths_are_free() -> None:
    model = from_text(
        """m (float[N,L,6] x) => (float[N,L,2,3] y) <int64[1] ZERO, int64[1] TWO, int64[2] REST> {
          s = Shape(x)  n = Slice(s, ZERO, TWO)  t = Concat<axis = 0>(n, REST)  r = Relu(x)  y = Reshape(r, t) }""",
        ZERO=np.zeros(1),
        TWO=np.full(1, 2),
        REST=np.asarray([2, 3]),
    )
    x = normal(4, 5, 6)
    before = outputs(model, x=x)
    report = local_shapes(model, axes_of(model), shapes_of(model))
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])
    assert [line.split(":")[0] for line in report.changed] == ["Reshape 'y'"]
    assert op_types(model)[-3:] == ["Slice", "Concat", "Reshape"]
