"""Samples: chosen, split, checked against a model's inputs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx_ir as ir
import pytest

from converter.errors import RefusedError
from converter.io.samples import InputSpec, Samples, check_samples, load_samples, peek_shape

ONE = [InputSpec("x", np.dtype(np.float32), [None, 3])]
TWO = [InputSpec("a", np.dtype(np.float32), [None, 3]), InputSpec("b", np.dtype(np.int64), [None, None])]


def test_parts_of_samples() -> None:
    samples = Samples({"x": np.arange(10)}, np.arange(10) % 3)
    assert len(samples) == 10
    first, rest = samples.split(4)
    assert (len(first), len(rest), len(samples.first(None)), len(samples.first(99))) == (4, 6, 10, 10)
    np.testing.assert_array_equal(rest.feed["x"], np.arange(4, 10))
    np.testing.assert_array_equal(rest.labels, np.arange(4, 10) % 3)
    np.testing.assert_array_equal(samples.take(np.asarray([7, 2])).feed["x"], [7, 2])
    assert Samples({"x": np.arange(3)}, None).first(2).labels is None


def test_a_models_input() -> None:
    value = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT16), shape=ir.Shape([7, "width", 3]))
    spec = InputSpec.of(value)
    assert (spec.name, spec.dtype, list(spec.shape)) == ("x", np.float16, [None, None, 3])


def test_types_become_the_models_own() -> None:
    samples = check_samples({"a": np.ones((2, 3), bool), "b": np.ones((2, 5), np.uint8), "y": [[0.0], [1.0]]}, TWO)
    assert {name: array.dtype for name, array in samples.feed.items()} == {"a": np.float32, "b": np.int64}
    np.testing.assert_array_equal(samples.labels, [0, 1])
    assert samples.labels.dtype == np.int64


def test_one_hot_labels_become_numbers() -> None:
    samples = check_samples({"x": np.ones((3, 3)), "y": np.eye(3)[[2, 0, 1]]}, ONE)
    np.testing.assert_array_equal(samples.labels, [2, 0, 1])


def test_an_array_alone_is_x() -> None:
    assert len(check_samples(np.ones((4, 3)), ONE)) == 4


@pytest.mark.parametrize(
    ("arrays", "inputs", "reason"),
    [
        ({}, ONE, "it holds no arrays; it needs `x`"),
        ({"z": np.ones((2, 3))}, ONE, r"it holds \['z'\] but no `x`, the samples for input 'x'"),
        ({"a": np.ones((2, 3))}, TWO, r"it holds \['a'\] but no `b`"),
        ({"x": np.ones((2, 3))}, TWO, r"it holds \['x'\] but no `a`"),
        ({"a": np.ones((2, 3)), "b": np.ones((3, 5))}, TWO, "different numbers of samples: {'a': 2, 'b': 3}"),
        ({"x": np.ones((2, 4))}, ONE, r"shape \[2, 4\], the model's input 'x' needs \[samples, 3\]"),
        ({"a": np.ones((2, 3)), "b": np.ones(2)}, TWO, r"input 'b' needs \[samples, any\]"),
        ({"x": np.asarray([[1, 2, np.inf]])}, ONE, "NaN or infinity, first in sample 0"),
        ({"a": np.ones((2, 3)), "b": np.full((2, 5), 1.9)}, TWO, "`b` holds fractions, .* input 'b' takes int64"),
        ({"x": np.full((2, 3), 1e300)}, ONE, "`x` holds numbers too large for float32"),
        ({"x": np.ones((2, 3)), "y": [0.5, 1]}, ONE, "the labels `y` are not class numbers"),
    ],
)
def test_what_does_not_fit_is_refused(arrays, inputs, reason) -> None:
    with pytest.raises(RefusedError, match=reason):
        check_samples(arrays, inputs)


def test_a_file_is_named(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 4)))
    assert peek_shape(tmp_path / "a.npz") == (4,)
    assert peek_shape(tmp_path / "b.npz") is None
    with pytest.raises(RefusedError, match=r"a\.npz: `x` has the shape"):
        load_samples(tmp_path / "a.npz", ONE)


def test_in_turn_another_sample_follows_each() -> None:
    count = 10
    for frames in (1, 2, 3, 4):
        turns = Samples({"x": np.arange(count)}, np.arange(count)).in_turn(frames)
        assert len(turns) == frames
        np.testing.assert_array_equal(turns[0].feed["x"], np.arange(count))
        for turn in turns:
            np.testing.assert_array_equal(np.sort(turn.feed["x"]), np.arange(count))
            np.testing.assert_array_equal(turn.feed["x"], turn.labels)
        for before, after in pairwise(turns):
            assert (before.labels != after.labels).all()
