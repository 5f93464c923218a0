"""What a caller passes: arrays by name, and what is refused of them."""

from __future__ import annotations

import numpy as np
import pytest

from snn_ops.feed import as_model_takes, by_name, checked_steps, first_not_finite

A, B = np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32)


def test_one_array_is_the_only_input() -> None:
    feed = by_name(A, ["x"])
    assert list(feed) == ["x"]
    assert feed["x"] is A
    with pytest.raises(ValueError, match=r"^the model has the inputs \['x', 'z'\]: pass arrays by name$"):
        by_name(A, ["x", "z"])


def test_arrays_by_name_come_in_the_models_order() -> None:
    """What the model has no input for stays behind, whatever it holds."""
    feed = by_name({"labels": np.asarray([np.nan]), "z": B, "x": A}, ["x", "z"])
    assert list(feed) == ["x", "z"]
    assert feed["x"] is A
    assert feed["z"] is B
    with pytest.raises(ValueError, match=r"^no samples for input 'z'; the model has the inputs \['x', 'z'\]$"):
        by_name({"x": A}, ["x", "z"])


def test_the_input_that_is_no_number_is_named() -> None:
    bad = np.ones((4, 2), np.float32)
    bad[2, 1] = np.inf
    with pytest.raises(ValueError, match=r"^`z` holds NaN or infinity, first in sample 2$"):
        by_name({"x": A, "z": bad}, ["x", "z"])


@pytest.mark.parametrize("element", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (5, 2, 3), (1, 4), (4, 0), (0, 3)])
def test_the_first_bad_sample_is_found_as_by_a_loop(shape, element) -> None:
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(50):
        x = rng.normal(size=shape).astype(element)
        for _ in range(rng.integers(3)):
            if x.size:
                x[tuple(rng.integers(length) for length in shape)] = rng.choice([np.nan, np.inf, -np.inf])
        expected = next((index for index, row in enumerate(x) if not np.isfinite(row).all()), None)
        assert first_not_finite(x) == expected
        found.add(expected)
    assert len(found) > 1 or 0 in shape


def test_a_single_number_is_sample_0_and_integers_are_finite() -> None:
    assert first_not_finite(np.asarray(np.nan)) == 0
    assert first_not_finite(np.asarray(2.0)) is None
    assert first_not_finite(np.asarray([2**62, -1])) is None
    assert first_not_finite(np.asarray(["nan"])) is None


def test_inputs_of_as_many_samples() -> None:
    """Broadcast against each other they would give an answer, for another number of samples than either has."""
    with pytest.raises(ValueError, match=r"^`x` holds 2 samples, `z` 1$"):
        by_name({"x": A, "z": B[:1]}, ["x", "z"])
    with pytest.raises(ValueError, match=r"^`z` is one number, not \[samples, ...\]$"):
        by_name({"x": A, "z": np.asarray(2.0)}, ["x", "z"])


def test_what_a_mask_hides_is_an_input_too() -> None:
    """A model knows no masks."""
    bad = np.ma.masked_invalid([[0.5], [np.nan]])
    assert np.isfinite(bad).all()
    with pytest.raises(ValueError, match="holds NaN or infinity, first in sample 1"):
        by_name(bad, ["x"])


@pytest.mark.parametrize("element", [np.float32, np.float64])
def test_subnormal_numbers_are_0(element) -> None:
    """All others stay, and so does the caller's array, which is given back itself where it holds none."""
    facts = np.finfo(element)
    below = np.nextafter(facts.tiny, element(0))
    x = np.asarray([[facts.smallest_subnormal, -below, 1], [facts.tiny, -facts.tiny, -0.0], [0, below, -2]], element)
    before = x.copy()
    found = as_model_takes(x)
    np.testing.assert_array_equal(found, [[0, 0, 1], [facts.tiny, -facts.tiny, 0], [0, 0, -2]])
    assert found.dtype == element
    np.testing.assert_array_equal(x, before)
    for same in (found, x[1:2], x[:0], np.zeros((2, 2), element), np.asfortranarray(found)):
        assert as_model_takes(same) is same
    x.setflags(write=False)
    np.testing.assert_array_equal(as_model_takes(x[:, ::2]), found[:, ::2])


def test_subnormal_numbers_that_count_stay() -> None:
    """In float16 they are ordinary signals; integers have none."""
    for array in (np.asarray([6e-8, -6e-5], np.float16), np.asarray([0, 1, -1]), np.asarray([True, False])):
        assert as_model_takes(array) is array


@pytest.mark.parametrize("element", [np.float16, np.float32, np.float64, np.int64])
def test_another_byte_order_is_this_machines(element) -> None:
    x = np.asarray([[1, 2.5], [-3, 0]]).astype(element)
    found = as_model_takes(x.astype(x.dtype.newbyteorder("S")))
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, x, strict=True)


def test_subnormal_numbers_in_another_byte_order_are_0() -> None:
    swapped = np.asarray([1e-40, 1], np.float32).astype(np.dtype(np.float32).newbyteorder("S"))
    np.testing.assert_array_equal(as_model_takes(swapped), np.asarray([0, 1], np.float32), strict=True)


def test_steps() -> None:
    assert [checked_steps(n) for n in (1, 2, 1000)] == [1, 2, 1000]
    for n_steps in (0, -3):
        with pytest.raises(ValueError, match=f"^n_steps must be at least 1, it is {n_steps}$"):
            checked_steps(n_steps)
    assert checked_steps(np.int64(4)) == 4
    for wrong in (2.5, np.float64(3), "3", float("nan")):
        with pytest.raises(TypeError, match=r"^n_steps must be an integer, it is "):
            checked_steps(wrong)
