"""The terminal: results on standard output, progress bars and messages on standard error."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import progress as rich_progress
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

from converter.graph.passes import PassReport
from converter.io.progress import Progress


class _Console(Console):
    """One that shows text of a file and never obeys it."""

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: whoever called decides, where Rich would end the program."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")

    def print(self, *objects: Any, **options: Any) -> None:
        """As Rich's."""
        super().print(*(printable(each) if isinstance(each, str) else each for each in objects), **options)


def results() -> Console:
    """Standard output. Where it is no terminal, tables keep their full width instead of being cut to 80 columns."""
    return _Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)


def messages() -> Console:
    """Standard error."""
    return _Console(file=sys.stderr, highlight=False, markup=False)


@contextmanager
def progress(*, rate: bool = False) -> Iterator[Progress]:
    """Progress bars, one for each work. Nothing is shown where standard error is no terminal.

    Args:
        rate: show samples per second, too.
    """
    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        *((_Rate(),) if rate else ()),
        rich_progress.TimeRemainingColumn(),
    )
    shown = sys.stderr.isatty()
    with rich_progress.Progress(*columns, console=messages(), transient=True, disable=not shown) as bars:
        tasks: dict[str, rich_progress.TaskID] = {}

        def advance(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield advance


class _Rate(rich_progress.ProgressColumn):
    """Samples per second."""

    def render(self, task: rich_progress.Task) -> Text:
        """The text of a task."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s")


def print_passes(reports: Sequence[PassReport]) -> None:
    """What each pass over the graph changed, and what it declined, on standard error."""
    for report in reports:
        counts = [f"{len(s)} {word}" for s, word in ((report.changed, "changed"), (report.declined, "declined")) if s]
        lines = [f"pass {report.name}: {', '.join(counts) or 'nothing to do'}"]
        lines += [f"  changed   {line}" for line in report.changed]
        lines += [f"  declined  {line}" for line in report.declined]
        messages().print("\n".join(lines), soft_wrap=True)


class FittingTable(Table):
    """A table that fits the terminal: where that is too narrow, the least important columns are left out, and named below.

    Numbers are never broken; text is, in columns of `LEAST_TEXT` characters and more. Nothing is left out where no terminal is.
    """

    drop: Sequence[str] = ()
    """Columns that may be left out, the least important first."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or as much of it as fits."""
        shown, widths = self._fitted(options.max_width, may_drop=console.is_terminal)
        yield Text(str(self.title), style="table.title")  # a table wraps it at its own width
        fitted = Table(header_style="bold")
        for column, width in zip(shown, widths, strict=True):
            fitted.add_column(column.header, justify=column.justify, overflow="fold", width=width)
        for row in zip(*(column.cells for column in shown), strict=True):
            fitted.add_row(*row)
        yield fitted
        headers = [column.header for column in shown]
        missing = [str(column.header) for column in self.columns if column.header and column.header not in headers]
        if missing:
            yield f"(a wider window also shows: {', '.join(missing)})"

    def _fitted(self, width: int, *, may_drop: bool) -> tuple[list[Column], list[int]]:
        """The columns to show, and how wide."""
        shown = list(self.columns)
        empty = [str(c.header) for c in self.columns if c.header in self.drop and set(c.cells) <= {"-", ""}]
        waiting = [*empty, *(name for name in self.drop if name not in empty)] if may_drop else []
        while True:
            room = width - 3 * len(shown) - 1
            natural, least = [_natural(column) for column in shown], [_least(column) for column in shown]
            if sum(least) <= room or not waiting:
                return shown, _widths(natural, least, room)
            name = waiting.pop(0)
            shown = [column for column in shown if column.header != name]


LEAST_TEXT = 16
"""Characters of a column of text, below which columns are left out instead."""


def _natural(column: Column) -> int:
    return max(cell_len(line) for text in (column.header, *column.cells) for line in (str(text).splitlines() or [""]))


def _least(column: Column) -> int:
    """Without breaking a number or a word of the header; text may be broken."""
    words = max(map(cell_len, str(column.header).split()), default=0)
    longest = max((cell_len(line) for text in column.cells for line in str(text).splitlines()), default=0)
    is_text = column.justify == "left" and bool(column.header)  # without a name it is a bar, or a mark
    return max(words, min(longest, LEAST_TEXT) if is_text else longest)


def _widths(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Each its natural width, or a share of the room; where not even the least fits, the widest shrink."""
    widths = list(least)
    while sum(widths) < room and any(n > w for n, w in zip(natural, widths, strict=True)):
        wanting = [i for i, n in enumerate(natural) if n > widths[i]]
        widths[min(wanting, key=lambda i: widths[i] / natural[i])] += 1
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    return widths


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    left: int = 1,
    drop: Sequence[str] | None = None,
) -> Table:
    """A table that fits the terminal.

    Args:
        title: above it.
        columns: their names.
        rows: a cell for each.
        left: so many columns are text; the others are numbers, aligned to the right.
        drop: columns that are left out where the terminal is narrow, the least important first; default: of the numbers all but
            the first, from the last on.
    """
    result = FittingTable(title=printable(title), title_justify="left", header_style="bold")
    result.drop = list(columns[: max(left, 1) : -1]) if drop is None else list(drop)
    for index, column in enumerate(columns):
        result.add_column(column, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        result.add_row(*(printable(str(cell)) for cell in row))
    return result


def printable(text: str) -> str:
    """Text of a file without what a terminal would obey instead of showing it."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def percent(share: float | None, digits: int = 2) -> str:
    """0.9912 -> "99.12 %"; None -> "-"."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def number(value: float | None) -> str:
    """Four significant digits; None -> "-"."""
    return "-" if value is None else f"{value:.4g}"
