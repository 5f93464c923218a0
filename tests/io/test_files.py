"""The user's files: what cannot be written or read is refused before anything is computed."""

from __future__ import annotations

import os

import numpy as np
import pytest

from converter.errors import RefusedError
from converter.io.files import check_writable, read_npz, write_npz, write_whole


def test_what_can_be_written(tmp_path) -> None:
    check_writable(None, "-", tmp_path / "a", str(tmp_path / "b"))


def test_what_cannot_be_written(tmp_path) -> None:
    for path, reason in (
        (tmp_path / "no" / "a", r"no/a: the folder .*no does not exist; create it first"),
        (tmp_path, "this is a folder; name a file"),
    ):
        for refused in (
            lambda path=path: check_writable(tmp_path / "fine", path),
            lambda path=path: write_whole(path, b""),
            lambda path=path: write_npz(path, {}),
        ):
            with pytest.raises(RefusedError, match=reason):
                refused()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission(tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RefusedError, match="cannot be written to"):
        check_writable(tmp_path / "a")


def test_arrays_out_and_in(tmp_path) -> None:
    write_npz(tmp_path / "a.npz", {"x": np.arange(3)})
    arrays = read_npz(tmp_path / "a.npz", "write one")
    assert list(arrays) == ["x"]
    np.testing.assert_array_equal(arrays["x"], np.arange(3))


def test_what_is_no_npz_says_what_to_do(tmp_path) -> None:
    (tmp_path / "a.npz").write_text("hello")
    with pytest.raises(RefusedError, match=r"a\.npz: not an \.npz file with arrays; write one"):
        read_npz(tmp_path / "a.npz", "write one")
    with pytest.raises(RefusedError, match=r"b\.npz: there is no such file"):
        read_npz(tmp_path / "b.npz", "write one")


def test_writes_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    path = tmp_path / "result"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["result"]
