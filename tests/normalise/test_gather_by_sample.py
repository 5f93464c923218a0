"""What is picked by index among all samples is picked within each."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from converter.errors import RefusedError
from converter.normalise.ann import load_ann
from converter.normalise.gather_by_sample import gather_by_sample
from converter.normalise.proof import prove
from tests.models import save, text_model
from tests.normalise.agreement import check_agreement
from tests.passes import from_text, normal, outputs


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
    check_agreement(model, 24 if batch == "N" else batch, tmp_path)


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
    check_agreement(model, 24 if batch == "N" else batch, tmp_path)


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
    check_agreement(model, 24 if batch == "N" else batch, tmp_path)


PICK = """m (float[N,4] x) => (float[N,2] y) <int64[] NOUGHT, int64[] UNIT, int64[] FOUR, int64[1] ALL, int64[2] OFFSETS,
  int64[1] ONE> {
    flat = Reshape(x, ALL)  n = Shape<start = 0, end = 1>(x)  count = Squeeze(n)  each = Range(NOUGHT, count, UNIT)
    far = Mul(each, FOUR)  apart = Unsqueeze(far, ONE)  i = Add(apart, OFFSETS)  y = Gather<axis = 0>(flat, i) }"""


def pick(offsets: list[int]) -> ir.Model:
    numbers = {"NOUGHT": 0, "UNIT": 1, "FOUR": 4, "ALL": [-1], "ONE": [1], "OFFSETS": offsets}
    return from_text(PICK, **{name: np.asarray(number) for name, number in numbers.items()})


def test_what_is_reported() -> None:
    model = pick([2, 0])
    x = normal(5, 4)
    before = outputs(model, x=x)
    report = gather_by_sample(model)
    assert report.changed == ("Gather 'y': picks within each sample",)
    assert model.graph.outputs[0].producer().attributes["axis"].as_int() == 1
    np.testing.assert_array_equal(outputs(model, x=x)[0], before[0])


def test_why_it_declines() -> None:
    assert gather_by_sample(pick([-1, 0])).declined == ("Gather 'y': it picks from other samples too",)
    model = from_text(
        "m (float[N,4] x) => (float[N,1] y) <int64[1] ZERO> { r = ArgMax<axis = 0>(x)  y = Gather<axis = 1>(x, r) }"
    )
    assert gather_by_sample(model).declined == ("Gather 'y': it picks along another axis than the first",)
    model = from_text("m (float[N,L] x) => (float[K,L] y) { n = Shape<start = 0, end = 1>(x)  y = Gather(x, n) }")
    (line,) = gather_by_sample(model).declined
    assert line == "Gather 'y': lengths of the model's input are free, and its indices may depend on them"


def test_constant_indices_are_not_mentioned() -> None:
    report = gather_by_sample(from_text("m (float[N,4] x) => (float[N] y) <int64[] I> { y = Gather<axis = 1>(x, I) }"))
    assert report.changed == report.declined == ()
