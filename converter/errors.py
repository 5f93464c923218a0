"""The one exception that users meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snn_ops.format import FormatError


class RefusedError(Exception):
    """Something the user gave cannot be used; the message is one line: what, where, and what to do.

    The command line prints it and exits with 1. ``str(error)`` is the line.
    """

    def __init__(self, message: str, *, file: object = None, node: str | None = None) -> None:
        place = [str(file)] if file is not None else []
        if node is not None:
            place.append(f"node {node!r}")
        line = " ".join(message.split())
        super().__init__(f"{', '.join(place)}: {line}" if place else line)
        self.file = file
        self.node = node


def retold(error: RefusedError, text: str, file: object = None) -> RefusedError:
    """The same refusal in other words, of which the file may be new: it concerns the same node."""
    again = RefusedError(text, file=file)
    again.file, again.node = file if file is not None else error.file, error.node
    return again


@contextmanager
def concerning(file: object) -> Iterator[None]:
    """What is refused inside concerns this file, unless it names one itself. So does what the file's metadata say wrong."""
    try:
        yield
    except FormatError as error:
        raise RefusedError(str(error), file=file) from error
    except RefusedError as error:
        if error.file is not None:
            raise
        raise retold(error, str(error), file) from error
