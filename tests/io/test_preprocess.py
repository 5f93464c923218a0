"""Pictures as a model takes them: the formula by hand, layouts, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from converter.errors import RefusedError
from converter.io.preprocess import Preprocessing, decoded, layout_of, pictures

RED = np.zeros((1, 2, 3, 3), np.uint8) + np.asarray([255, 0, 51], np.uint8)
"""A picture of 2 x 3 pixels of one colour."""


def test_the_formula_channel_by_channel() -> None:
    words = ["size=2x3 mean=0.5,0.25,0;std=0.5,0.5,2", "scale=1/255 layout=nchw"]
    chosen = Preprocessing.parse(words)
    assert chosen == Preprocessing((2, 3), 1 / 255, (0.5, 0.25, 0.0), (0.5, 0.5, 2.0), "NCHW")
    x = chosen.apply(RED, ["N", 3, 2, 3])
    assert (x.shape, x.dtype) == ((1, 3, 2, 3), np.float32)
    np.testing.assert_allclose(x[0, :, 1, 2], [1.0, -0.5, 0.1], rtol=1e-6)
    assert Preprocessing.read(chosen.stored()) == chosen
    assert Preprocessing.parse([]) is None
    assert Preprocessing.read({}) is None


@pytest.mark.parametrize(
    ("shape", "layout", "result"),
    [
        (["N", 3, 2, 3], "NCHW", (1, 3, 2, 3)),
        (["N", 2, 3, 3], "NHWC", (1, 2, 3, 3)),
        (["N", 18], "N", (1, 18)),
    ],
)
def test_the_layout_is_the_models(shape, layout, result) -> None:
    assert layout_of(shape) == layout
    assert Preprocessing().apply(RED, shape).shape == result


def test_grey_pictures_without_an_axis_for_channels() -> None:
    grey = np.full((2, 4, 5, 1), 255, np.uint8)
    np.testing.assert_array_equal(Preprocessing().apply(grey, ["N", 4, 5]), np.ones((2, 4, 5), np.float32))


def test_which_arrays_are_pictures() -> None:
    assert pictures(np.zeros((2, 3, 8, 9), np.uint8)).shape == (2, 8, 9, 3)
    assert pictures(np.zeros((2, 8, 9), np.uint8)).shape == (2, 8, 9, 1)
    assert pictures(np.zeros((2, 8, 9, 3), np.float32)) is None
    assert pictures(np.zeros((2, 7, 8, 9), np.uint8)) is None


def test_files_are_brought_to_the_size(tmp_path) -> None:
    Image.fromarray(RED[0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decoded(tmp_path / "a.png", 3, None), RED[0])
    np.testing.assert_array_equal(decoded(tmp_path / "a.png", 3, (4, 6))[3, 5], [255, 0, 51])
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(ValueError, match="damaged"):
        decoded(tmp_path / "b.png", 3, None)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("colour=1", "knows no 'colour'"),
        ("size=big", "size=big is no such value"),
        ("size=0x3", "is no preprocessing"),
        ("scale=1/0", "scale=1/0 is no such value"),
        ("std=0", "is no preprocessing"),
        ("layout=HCW", "is no preprocessing"),
    ],
)
def test_what_is_refused(words, reason) -> None:
    with pytest.raises(RefusedError, match=reason):
        Preprocessing.parse([words])


def test_damaged_metadata_are_refused() -> None:
    for stored in ({"size": "big"}, {"mean": ["a"]}, {"std": [0.0]}, {"layout": 3}):
        with pytest.raises(RefusedError, match="metadata"):
            Preprocessing.read(stored)
