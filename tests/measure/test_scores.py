"""Scores added up over batches against NumPy on all samples at once."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from converter.measure.scores import Score, classes_of, strange_labels

STEPS, SAMPLES = [2, 8, 32], 25
RNG = np.random.default_rng(0)
ANN = [RNG.normal(size=(SAMPLES, 4)).astype(np.float32), RNG.normal(size=(SAMPLES, 2, 3)).astype(np.float32)]
SNN = [np.stack([a + RNG.normal(size=a.shape) / steps**0.5 for steps in STEPS]).astype(np.float32) for a in ANN]
LABELS = np.where(RNG.random(SAMPLES) < 0.7, ANN[0].argmax(axis=1), 0)


def scored(*, labelled: bool = True, against: bool = True, bounds: tuple[int, ...] = (0, 7, 8, SAMPLES)) -> Score:
    score = Score(len(STEPS), labelled, against)
    for start, end in pairwise(bounds):
        score.add(
            {name: array[:, start:end] for name, array in zip("ab", SNN, strict=True)},
            [array[start:end] for array in ANN] if against else None,
            LABELS[start:end] if labelled else None,
        )
    return score


def test_batches_add_up() -> None:
    score = scored()
    assert score.ann_accuracy() == pytest.approx((ANN[0].argmax(axis=1) == LABELS).mean())
    for index, steps in enumerate(STEPS):
        found, now = score.result(index, steps), [array[index] for array in SNN]
        assert found.n_steps == steps
        assert found.accuracy == pytest.approx((now[0].argmax(axis=1) == LABELS).mean())
        assert found.agreement == pytest.approx((now[0].argmax(axis=1) == ANN[0].argmax(axis=1)).mean())
        mine, theirs = (np.concatenate([array.ravel() for array in arrays]) for arrays in (now, ANN))
        error = np.linalg.norm(mine - theirs) / np.linalg.norm(theirs)
        assert found.relative_error == pytest.approx(error, rel=1e-5)
        for (name, output), a, b in zip(found.outputs.items(), now, ANN, strict=True):
            assert name in "ab"
            assert output.relative_error == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-5)
            cosine = a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b)
            assert output.cosine == pytest.approx(cosine, rel=1e-5)
    errors = [score.result(index, steps).relative_error for index, steps in enumerate(STEPS)]
    assert errors == sorted(errors, reverse=True)


def test_how_samples_are_batched_makes_no_difference() -> None:
    for index, steps in enumerate(STEPS):
        one, many = (scored(bounds=bounds).result(index, steps) for bounds in ((0, SAMPLES), tuple(range(SAMPLES + 1))))
        assert (one.accuracy, one.agreement) == (many.accuracy, many.agreement)
        assert one.relative_error == pytest.approx(many.relative_error, rel=1e-12)


def test_what_is_not_known_is_none() -> None:
    alone = scored(labelled=False, against=False)
    result = alone.result(0, 2)
    assert (result.accuracy, result.agreement, result.relative_error, result.outputs) == (None, None, None, {})
    assert alone.ann_accuracy() is None
    assert scored(against=False).result(2, 32).accuracy == scored().result(2, 32).accuracy
    assert scored(against=False).ann_accuracy() is None
    assert scored(labelled=False).result(2, 32).agreement == scored().result(2, 32).agreement


def test_one_score_tells_no_class_and_a_zero_output_no_error() -> None:
    score = Score(1, labelled=True, against=True)
    score.add({"y": np.ones((1, 5, 1), np.float32)}, [np.zeros((5, 1), np.float32)], np.zeros(5, int))
    found = score.result(0, 4)
    assert (found.accuracy, found.agreement, score.ann_accuracy()) == (None, None, None)
    assert (found.relative_error, found.outputs["y"].relative_error, found.outputs["y"].cosine) == (None, None, None)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (np.asarray([[0.1, 0.9, 0.3], [2.0, 1.0, 0.0]]), [1, 0]),
        (np.asarray([[[[0.1]], [[0.9]]], [[[2.0]], [[1.0]]]]), [1, 0]),  # [N, classes, 1, 1]
        (np.asarray([3, 0]), [3, 0]),  # the class itself
        (np.asarray([[3], [0]], np.int32), [3, 0]),
        (np.asarray([[0.5], [0.2]]), None),  # a single score
        (np.ones((2, 3, 4)), None),  # a map, of which no axis tells classes
    ],
    ids=["scores", "scores of one pixel", "numbers", "numbers in a column", "one score", "a map"],
)
def test_classes(output, expected) -> None:
    found = classes_of(output, 1)
    assert expected is None if found is None else found.tolist() == expected


def test_what_is_not_a_number_is_no_class() -> None:
    """Even if the trained model's class is the first."""
    scores = np.asarray([[[3.0, 1, 2], [np.nan, 1, 2], [1, 2, np.nan], [np.inf, 1, 2]]], np.float32)
    np.testing.assert_array_equal(classes_of(scores, 2), [[0, -1, -1, 0]])
    score = Score(1, labelled=True, against=True)
    score.add({"y": scores}, [np.asarray([[3.0, 1, 2]] * 4, np.float32)], np.zeros(4, int))
    found = score.result(0, 1)
    assert (found.accuracy, found.agreement) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("labels", "outputs", "says"),
    [
        ([0, 3, 1], np.zeros((3, 4)), None),
        (
            [1, 4, 2],
            np.zeros((3, 4)),
            "run from 1 to 4, the model's classes from 0 to 3; they seem to begin at 1: subtract 1",
        ),
        (
            [100, 900],
            np.zeros((2, 4)),
            "run from 100 to 900, the model's classes from 0 to 3; give the numbers of its classes",
        ),
        ([-1, 2], np.zeros((2, 4)), "run from -1 to 2, .* give the numbers of its classes"),
        ([7, 9], np.zeros((2, 1), np.int64), None),
        ([7, 9], np.zeros((2, 3, 3)), None),
        (None, np.zeros((2, 4)), None),
    ],
)
def test_labels_that_are_no_classes(labels, outputs, says) -> None:
    """Class numbers as outputs may be any; of other outputs nobody knows the classes."""
    found = strange_labels(None if labels is None else np.asarray(labels), outputs)
    assert found is None if says is None else re.search(says, found)
