"""Files that are written whole or not at all, and `.npz` files of named arrays."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

try:
    import fcntl
except ImportError:  # Windows, where a file that is in use cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

Content = bytes | Callable[[IO[bytes]], object]
"""A file's bytes, or what writes them."""
_TEMPORARY = "onnx-snn-"
"""How the names of temporary folders begin."""
_UNFINISHED = ".unfinished"
"""How the names of files end that are not whole yet."""


def write_whole(path: str | PathLike[str], content: Content) -> None:
    """Writes a file whole or not at all: first a temporary one beside it, then the name changes hands.

    What a process left that was killed while it wrote the same file is removed. A device or a pipe is written to as it is.

    Raises:
        OSError: it cannot be written; the message names it.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                _write(content, file)
            return
        _remove_left(path.parent, f".{path.name}.", _UNFINISHED)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.", suffix=_UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                _hold(handle)
                _write(content, file)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder for as long as it is used. Those of processes that were killed are removed."""
    _remove_left(Path(tempfile.gettempdir()), _TEMPORARY, "")
    with tempfile.TemporaryDirectory(prefix=f"{_TEMPORARY}{os.getpid()}-") as name:
        handle = os.open(name, os.O_RDONLY) if fcntl else None
        try:
            if handle is not None:
                _hold(handle)
            yield Path(name)
        finally:
            if handle is not None:
                os.close(handle)


def _write(content: Content, file: IO[bytes]) -> None:
    if isinstance(content, bytes):
        file.write(content)
    else:
        content(file)


def _hold(handle: int) -> None:
    """Marks a file or folder as in use until it is closed, or its process ends, however it ends."""
    if fcntl:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_left(folder: Path, begin: str, end: str) -> None:
    """Removes files and folders with such names that nobody holds: their process was killed."""
    try:
        left = [path for path in folder.iterdir() if path.name.startswith(begin) and path.name.endswith(end)]
    except OSError:  # whoever writes there says what is wrong
        return
    for path in left:
        with suppress(OSError):
            if path.is_symlink() or not _is_left(path):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


_SURELY_HELD = 60.0
"""Seconds after which a file that was begun is held by its process, if that lives."""


def _is_left(path: Path) -> bool:
    """Whether nobody holds a temporary file or folder."""
    if not fcntl:
        return path.is_file()
    about = path.stat()
    if about.st_uid != os.getuid():
        return False
    if _lives(path.name) and time.time() - about.st_mtime < _SURELY_HELD:  # it may not have come to hold it
        return False
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _lives(name: str) -> bool:
    """Whether the process lives that a temporary file or folder names."""
    numbers = [int(part) for part in re.findall(r"[.-]([0-9]{1,9})[.-]", name)]
    try:
        os.kill(numbers[-1] if numbers else 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
    """Reads all arrays of an `.npz` file; pickled objects never.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no `.npz` file with arrays, or larger than this machine's memory; the message names it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > memory_bytes():
                raise TooLargeError(f"{path} holds {total / 1e9:.3g} GB of arrays, more than this machine's memory")
            arrays = {}
            for member in members:
                _array_header(archive, member)  # nothing is allocated for what the file claims and does not hold
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, MemoryError, TooLargeError):
        raise
    except Exception as error:  # whatever zipfile, its decompressors and NumPy raise on a damaged file
        raise ValueError(f"{path} is not an .npz file with arrays") from error
    return arrays


def shapes_in_npz(path: str | PathLike[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in an `.npz` file, by name.

    Raises:
        OSError, ValueError: as `read_npz`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {member.filename: _array_header(archive, member) for member in archive.infolist()}
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{path} is not an .npz file with arrays") from error
    return {name.removesuffix(".npy"): shape for name, shape in headers.items()}


def is_packed(path: str | PathLike[str]) -> bool:
    """Whether an `.npz` file is compressed, so that rows in it are reached by unpacking those before them.

    Raises:
        OSError, ValueError: as `read_npz`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not an .npz file with arrays") from error


def rows_in_npz(
    path: str | PathLike[str], names: Sequence[str], start: int, count: int | None, size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Reads arrays of an `.npz` file in pieces along their first axis, which are all that is in memory.

    Args:
        path: the file.
        names: of the arrays; they have as many rows as each other.
        start, count: the rows; count None: all from `start` on.
        size: rows of a piece.

    Raises:
        OSError, ValueError: as `read_npz`; or the arrays have different numbers of rows.
    """
    try:
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            readers = {name: _RowReader(stack, archive, f"{name}.npy") for name in names}
            counts = {name: reader.shape[0] for name, reader in readers.items()}
            if len(set(counts.values())) > 1:
                raise OtherArraysError(f"its arrays have different numbers of samples: {counts}")
            total = next(iter(counts.values()))
            stop = total if count is None else min(total, start + count)
            for reader in readers.values():
                reader.skip(start)
            for first in range(start, stop, size):
                yield {name: reader.take(min(size, stop - first)) for name, reader in readers.items()}
    except (OSError, MemoryError, OtherArraysError):
        raise
    except Exception as error:  # whatever zipfile, its decompressors and NumPy raise on a damaged file
        raise ValueError(f"{path} is not an .npz file with arrays, or it is damaged") from error


class _RowReader:
    """Rows of an array in an archive, one after the other."""

    def __init__(self, stack: ExitStack, archive: zipfile.ZipFile, name: str) -> None:
        member = archive.getinfo(name)
        self.shape = _array_header(archive, member)
        self._file = stack.enter_context(archive.open(member))
        version = np.lib.format.read_magic(self._file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, by_columns, self._dtype = read(self._file)
        if not self.shape:
            raise OtherArraysError(f"`{name.removesuffix('.npy')}` is one number, not [samples, ...]")
        self._row = math.prod(self.shape[1:]) * self._dtype.itemsize
        self._whole: np.ndarray | None = None
        self._at = 0
        if by_columns and len(self.shape) > 1:  # a row of it lies everywhere in the file
            data = np.frombuffer(self._file.read(member.file_size), self._dtype)
            self._whole = data.reshape(self.shape[::-1]).T

    def skip(self, rows: int) -> None:
        self._at += rows
        if self._whole is None:
            self._file.seek(rows * self._row, os.SEEK_CUR)

    def take(self, rows: int) -> np.ndarray:
        self._at += rows
        if self._whole is not None:
            return np.ascontiguousarray(self._whole[self._at - rows : self._at])
        data = self._file.read(rows * self._row)
        if len(data) != rows * self._row:
            raise ValueError("it ends too early")
        return np.frombuffer(data, self._dtype).reshape(rows, *self.shape[1:])


class OtherArraysError(ValueError):
    """A file holds arrays, but not such as are wanted."""


class TooLargeError(ValueError):
    """What a file holds does not fit into memory."""


def memory_bytes() -> int:
    """This machine's memory; where the system does not tell, as much as an address can name."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 2**63 - 1


def _array_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, ...]:
    """The shape of a member.

    Raises:
        ValueError: it is no array of numbers or text, or its shape is not that of its bytes.
    """
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename} is no array")
    return shape
