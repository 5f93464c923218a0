"""Files of arrays: every name, and whatever is no such file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from snn_ops.files import Blocks, is_packed, read_npz, rows_in_npz, write_npz, write_whole

ARRAYS = {
    "x": np.arange(6.0).reshape(2, 3),
    "file": np.zeros((0, 2), np.float16),  # arguments of numpy.savez
    "allow_pickle": np.asarray(1, np.int64),
    "a/b": np.asarray("text"),
}


def test_numpy_and_we_read_the_same(tmp_path) -> None:
    write_npz(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz") as archive:
        by_numpy = {name: archive[name] for name in archive.files}
    for found in (by_numpy, read_npz(tmp_path / "a.npz")):
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)


def members(path: Path, **content: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)


def damaged(path: Path) -> None:
    np.savez_compressed(path, x=np.random.default_rng(0).random(10_000))
    data = bytearray(path.read_bytes())
    data[500:600] = bytes(100)
    path.write_bytes(data)


NO_NPZ = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hello"),
    "cut": lambda path: path.write_bytes(b"PK\x03\x04 broken"),
    "a member that is no array": lambda path: members(path, x="hello"),
    "an array that is text": lambda path: members(path, **{"x.npy": "hello"}),
    "objects": lambda path: np.savez(path, x=np.asarray([{}])),
    "damaged": damaged,
}


@pytest.mark.parametrize("case", NO_NPZ)
def test_what_is_no_npz(case, tmp_path) -> None:
    NO_NPZ[case](tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"a\.npz is not an \.npz file with arrays"):
        read_npz(tmp_path / "a.npz")


def test_an_error_names_the_file_and_leaves_nothing(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"'.*/missing/a\.npz'"):
        write_npz(tmp_path / "missing" / "a.npz", ARRAYS)
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "a.npz", {"x": np.ones(3), "y": np.asarray([{}])})
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.npz", interrupted)
    assert list(tmp_path.iterdir()) == []


def interrupted(file) -> None:
    file.write(b"half")
    raise KeyboardInterrupt


def test_an_array_in_blocks(tmp_path) -> None:
    """It is as another array to who reads, and smaller; one that breaks off leaves nothing."""
    whole = np.zeros((50, 3, 40), np.float32)
    whole[::7] = np.arange(40)
    pieces = (whole[first : first + 8] for first in range(0, 50, 8))
    blocks = Blocks(whole.shape, whole.dtype, pieces)
    write_npz(tmp_path / "a.npz", {"blocks": blocks, "whole": whole})
    with np.load(tmp_path / "a.npz") as file:
        assert file.files == ["blocks", "whole"]
        for name in file.files:
            np.testing.assert_array_equal(file[name], whole)
            assert file[name].dtype == np.float32
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        sizes = {info.filename: info.compress_size for info in archive.infolist()}
    assert sizes["blocks.npy"] < whole.nbytes / 4 < whole.nbytes < sizes["whole.npy"]
    with pytest.raises(ZeroDivisionError):
        write_npz(
            tmp_path / "b.npz", {"blocks": Blocks((2, 1), np.dtype(float), (np.ones(1) * (1 // n) for n in (1, 0)))}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_a_file_piece_by_piece(tmp_path, save, order) -> None:
    x = np.asarray(np.arange(60, dtype=np.int16).reshape(10, 3, 2), order=order)
    save(tmp_path / "a.npz", x=x, y=np.arange(10))
    assert is_packed(tmp_path / "a.npz") is (save is np.savez_compressed)
    for start, count, size in ((0, None, 4), (3, 5, 2), (9, 5, 4)):
        pieces = list(rows_in_npz(tmp_path / "a.npz", ["x", "y"], start, count, size))
        assert max(len(piece["x"]) for piece in pieces) <= size
        stop = 10 if count is None else min(10, start + count)
        np.testing.assert_array_equal(np.concatenate([piece["x"] for piece in pieces]), x[start:stop])
        np.testing.assert_array_equal(np.concatenate([piece["y"] for piece in pieces]), np.arange(start, stop))


def test_rows_that_do_not_fit_together(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2)), y=np.zeros(4), z=np.float32(1))
    for names, reason in (
        (["x", "y"], "different numbers of samples"),
        (["z"], "`z` is one number"),
        (["w"], "damaged"),
    ):
        with pytest.raises(ValueError, match=reason):
            list(rows_in_npz(tmp_path / "a.npz", names, 0, None, 2))
