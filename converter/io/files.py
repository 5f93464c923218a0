"""The user's files: `snn_ops.files`, and what is wrong with a file is refused before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from converter.errors import RefusedError
from snn_ops import files


def check_writable(*paths: str | Path | None) -> None:
    """Says early that a result could not be written. None, a result nobody wants, and "-", standard output, are fine.

    Raises:
        RefusedError: a folder does not exist or cannot be written to.
    """
    for path in (Path(path) for path in paths if path is not None and str(path) != "-"):
        if not path.parent.is_dir():
            raise RefusedError(f"the folder {path.parent} does not exist; create it first", file=path)
        if not os.access(path.parent, os.W_OK):
            raise RefusedError(f"the folder {path.parent} cannot be written to", file=path)
        if path.is_dir():
            raise RefusedError("this is a folder; name a file", file=path)


def write_whole(path: str | Path, content: files.Content) -> None:
    """Writes a file, whole or not at all.

    Raises:
        RefusedError: as `check_writable`.
    """
    check_writable(path)
    files.write_whole(path, content)


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray | files.Blocks]) -> None:
    """Writes arrays by name, whole or not at all.

    Raises:
        RefusedError: as `check_writable`.
    """
    check_writable(path)
    files.write_npz(path, arrays)


def read_npz(path: str | Path, what_to_do: str) -> dict[str, np.ndarray]:
    """Reads all arrays of an `.npz` file.

    Args:
        path: the file.
        what_to_do: what the user can do where it is no such file.

    Raises:
        RefusedError: no such file, or not an `.npz` of arrays.
    """
    if not Path(path).is_file():
        raise RefusedError("there is no such file", file=path)
    try:
        return files.read_npz(path)
    except files.TooLargeError as error:
        raise RefusedError(str(error).removeprefix(f"{path} "), file=path) from None
    except MemoryError:
        raise RefusedError("its arrays do not fit into memory", file=path) from None
    except (OSError, ValueError):
        raise RefusedError(f"not an .npz file with arrays; {what_to_do}", file=path) from None
