"""The terminal: results on standard output, progress bars and messages on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

Advance = Callable[[str, int, int], None]


def results() -> Console:
    """Standard output. Where it is no terminal, tables keep their full width instead of being cut to 80 columns."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)


def messages() -> Console:
    """Standard error."""
    return Console(file=sys.stderr, highlight=False)


@contextmanager
def progress() -> Iterator[Advance]:
    """A progress bar: call the result with (what, done, of). Nothing is shown where standard error is no terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=messages(), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks = {}

        def advance(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield advance


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> Table:
    """A table; all but the first `left` columns are numbers, aligned to the right."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made


def percent(share: float | None, digits: int = 2) -> str:
    """0.9912 -> "99.12 %"; None -> "-"."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def number(value: float | None) -> str:
    """Four significant digits; None -> "-"."""
    return "-" if value is None else f"{value:.4g}"
