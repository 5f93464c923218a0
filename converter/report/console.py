"""The terminal: results on standard output, progress bars and messages on standard error."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import progress as rich_progress
from rich.console import Console
from rich.table import Table
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


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> Table:
    """A table; all but the first `left` columns are numbers, aligned to the right."""
    result = Table(title=printable(title), title_justify="left", header_style="bold")
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
