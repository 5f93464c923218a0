"""What a caller passes: arrays by name, and what is refused of them."""

from __future__ import annotations

import numpy as np
import pytest

from snn_ops.feed import as_model_takes, as_type, by_name, checked_steps, element_type, first_not_finite

A, B = np.ones((2, 3), np.float32), np.zeros((2, 1), np.float32)
F = np.dtype(np.float32)


def test_one_array_is_the_only_input() -> None:
    feed = by_name(A, {"x": F})
    assert list(feed) == ["x"]
    assert feed["x"] is A
    with pytest.raises(ValueError, match=r"^the model has the inputs \['x', 'z'\]: pass arrays by name$"):
        by_name(A, {"x": F, "z": F})


def test_arrays_by_name_come_in_the_models_order() -> None:
    """What the model has no input for stays behind, whatever it holds."""
    feed = by_name({"labels": np.asarray([np.nan]), "z": B, "x": A}, {"x": F, "z": F})
    assert list(feed) == ["x", "z"]
    assert feed["x"] is A
    assert feed["z"] is B
    with pytest.raises(ValueError, match=r"^no samples for input 'z'; the model has the inputs \['x', 'z'\]$"):
        by_name({"x": A}, {"x": F, "z": F})


def test_the_input_that_is_no_number_is_named() -> None:
    bad = np.ones((4, 2), np.float32)
    bad[2, 1] = np.inf
    with pytest.raises(ValueError, match=r"^`z` holds NaN or infinity, first in sample 2$"):
        by_name({"x": A, "z": bad}, {"x": F, "z": F})


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
        by_name({"x": A, "z": B[:1]}, {"x": F, "z": F})
    with pytest.raises(ValueError, match=r"^`z` is one number, not \[samples, ...\]$"):
        by_name({"x": A, "z": np.asarray(2.0)}, {"x": F, "z": F})


def test_what_a_mask_hides_is_an_input_too() -> None:
    """A model knows no masks."""
    bad = np.ma.masked_invalid([[0.5], [np.nan]])
    assert np.isfinite(bad).all()
    with pytest.raises(ValueError, match="holds NaN or infinity, first in sample 1"):
        by_name(bad, {"x": F})


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


def test_lists_are_arrays() -> None:
    np.testing.assert_array_equal(by_name([[1, 2], [3, 4]], {"x": F})["x"], np.asarray([[1, 2], [3, 4]], np.float32))
    np.testing.assert_array_equal(by_name({"x": [1.5]}, {"x": F})["x"], np.asarray([1.5], np.float32))
    with pytest.raises(ValueError, match=r"^the model has the inputs \['x', 'z'\]: pass arrays by name$"):
        by_name([[1.0], [2.0]], {"x": F, "z": F})
    with pytest.raises(ValueError, match=r"^`x` is no array of numbers"):
        by_name([[1.0], [2.0, 3.0]], {"x": F})
    with pytest.raises(ValueError, match=r"^`x` holds <U1, not numbers$"):
        by_name(["a"], {"x": F})


@pytest.mark.parametrize("to", "bool float16 float32 float64 int8 uint8 int32 int64 uint64".split())
@pytest.mark.parametrize("given", "bool float16 float32 float64 int8 uint8 int64 uint64".split())
def test_numbers_come_as_they_are_or_not_at_all(given, to) -> None:
    """Python's own numbers say which can be had in a type; one that floats round may be off by a part of their precision."""
    extremes = [0, 1, 2, -1, -3, 0.5, 1.9, 127, 128, 255, 256, 65504, 1e6, 1e30, 1e300, 2**31, 2**62, 2**63, 2**64 - 1]
    to_type, held = np.dtype(to), set()
    for number in extremes:
        with np.errstate(all="ignore"):
            array = np.asarray([0, number]).astype(given)
        exact = array[1].item()
        if not np.isfinite(exact):
            continue
        try:
            found = as_type(array, to_type, "x")
        except ValueError:
            found = None
        if to_type.kind == "f":
            fits = abs(exact) <= float(np.finfo(to_type).max)
        elif to_type.kind == "b":
            fits = exact in (0, 1)
        else:
            fits = exact == int(exact) and np.iinfo(to_type).min <= exact <= np.iinfo(to_type).max
        assert (found is not None) == fits, (number, exact)
        held.add(fits)
        if found is None:
            continue
        assert found.dtype == to_type
        if to_type.kind == "f":
            assert abs(float(found[1]) - float(exact)) <= abs(float(exact)) * float(np.finfo(to_type).eps) + 1e-7
        else:
            assert found[1].item() == exact
    assert True in held


def test_what_does_not_fit_is_named() -> None:
    x = np.asarray([[0.0, 1.0], [2.0, 0.5]])
    for dtype, array, reason in (
        ("uint8", x, "fractions, first in sample 1; the model's input 'image' takes uint8"),
        (
            "uint8",
            x - 0.5 * (x == 0.5) - 1,
            "numbers below 0, first in sample 0; the model's input 'image' takes uint8",
        ),
        ("int8", np.asarray([3, 128]), "numbers above 127, first in sample 1; the model's input 'image' takes int8"),
        (
            "float32",
            x * 1e300,
            "numbers too large for float32, first in sample 0; the model's input 'image' takes float32",
        ),
    ):
        with pytest.raises(ValueError) as error:
            as_type(array, np.dtype(dtype), "x", "image")
        assert str(error.value) == f"`x` holds {reason}"


def test_types_of_onnx_runtime() -> None:
    assert element_type("tensor(float)") == np.float32
    assert element_type("tensor(double)") == np.float64
    assert [element_type(f"tensor({name})") for name in ("bool", "uint8", "int64", "float16")] == [
        np.dtype(name) for name in ("bool", "uint8", "int64", "float16")
    ]
    assert [element_type(name) for name in ("tensor(string)", "tensor(bfloat16)", "seq(tensor(float))")] == [None] * 3
