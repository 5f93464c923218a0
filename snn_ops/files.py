"""Files that are written whole or not at all, and `.npz` files of named arrays."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

Content = bytes | Callable[[IO[bytes]], object]
"""A file's bytes, or what writes them."""
_BROKEN = (ValueError, EOFError, KeyError, AttributeError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What `zipfile` and NumPy raise on files that are no `.npz`, or a damaged one."""


def write_whole(path: str | PathLike[str], content: Content) -> None:
    """Writes a file whole or not at all: first a temporary one beside it, then the name changes hands.

    Raises:
        OSError: it cannot be written; the message names it.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    content(file)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@dataclass(frozen=True)
class Blocks:
    """An array that is never in memory as a whole: pieces along its first axis. It is compressed.

    Attributes:
        shape, dtype: of the whole.
        pieces: one after the other; they are taken once.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: Iterable[np.ndarray]

    def write(self, file: IO[bytes]) -> None:
        """As ``numpy.lib.format.write_array``."""
        description = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": description, "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_2_0(file, header)
        for piece in self.pieces:
            file.write(np.ascontiguousarray(piece).data)


def write_npz(path: str | PathLike[str], arrays: Mapping[str, np.ndarray | Blocks]) -> None:
    """Writes arrays by name, whole or not at all.

    ``numpy.savez`` takes names as keyword arguments and so cannot write an array called "file".

    Raises:
        OSError: it cannot be written; the message names it.
    """

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in arrays.items():
                if isinstance(array, Blocks):
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        array.write(member)
                else:
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:  # as it is
                        np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)

    write_whole(path, write)


def read_npz(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Reads all arrays of an `.npz` file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no `.npz` file with arrays; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("a member is no array")
    except _BROKEN as error:
        raise ValueError(f"{path} is not an .npz file with arrays") from error
    return arrays
