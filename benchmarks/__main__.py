"""``python -m benchmarks``: measures the matrix, or a part of it, into a file of results. ``--list`` shows what there is."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, track
from rich.table import Table

from benchmarks import environments, machine, matrix, systems
from benchmarks.harness import Harness, Settings
from benchmarks.matrix import Cell
from benchmarks.process import DidNotRunError, end_on_signals
from benchmarks.results import CellResult, Results, ResultsError
from benchmarks.searches import Searches
from benchmarks.workloads.catalogue import WORKLOADS
from benchmarks.workloads.network import Equation
from snn_ops.provider import PROVIDERS

FOLDER = Path(__file__).parent / "results"
SETTINGS = "settings"
"""The folder beside a file of results, for a file of the same name: what the searches found."""
QUICK = Settings(seconds=0.2, rounds=3)


class RefusedError(Exception):
    """What was asked for cannot be done; the message is a line that says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    try:
        return run(parser().parse_args(arguments))
    except (RefusedError, ResultsError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    result.add_argument("--list", action="store_true", help="show workloads and systems, and how many cells there are")
    result.add_argument("--workloads", type=names, help="default: all of the matrix; with --steps etc.: those cells")
    result.add_argument("--systems", type=names, help="default: all")
    result.add_argument("--equations", type=names, help="default: all")
    result.add_argument("--steps", type=numbers, metavar="T,...")
    result.add_argument("--batch", type=numbers, metavar="B,...")
    result.add_argument("--threads", type=numbers, metavar="N,...")
    result.add_argument("--provider", choices=list(PROVIDERS), default="cpu")
    result.add_argument("--quick", action="store_true", help="the smallest cells, measured briefly")
    result.add_argument("--limit", type=float, default=60, help="seconds for a cell [default: 60]")
    result.add_argument(
        "--search", type=float, default=20, help="seconds for a search of the fastest setting [default: 20]"
    )
    result.add_argument(
        "--prepare",
        action="store_true",
        help="make the peers' environments, search for the settings that these cells need, and measure nothing",
    )
    result.add_argument(
        "--budget", type=float, metavar="MINUTES", help="begin no cell after that; the first matter most"
    )
    result.add_argument("--again", action="store_true", help="run finished cells again")
    result.add_argument("--here", action="store_true", help="run all systems in this environment, make none")
    result.add_argument("--results", type=Path, help="the file [default: benchmarks/results/MACHINE.json]")
    return result


def names(text: str) -> list[str]:
    """Of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str) -> list[int]:
    """Above 0, of a list with commas."""
    values = [int(part) for part in names(text)]
    if not values or min(values) < 1:
        raise ValueError(text)
    return values


def run(arguments: argparse.Namespace) -> int:
    """What the command line asks for.

    Raises:
        RefusedError: there is no such workload or system, or no GPU.
    """
    _check("workload", arguments.workloads, list(WORKLOADS))
    _check("system", arguments.systems, systems.names())
    _check("equation", arguments.equations, [equation.value for equation in Equation])
    if arguments.provider == "cuda" and not machine.gpu():
        raise RefusedError("--provider cuda: there is no NVIDIA GPU here (nvidia-smi does not find one)")
    if arguments.list:
        show_list(arguments.provider)
        return 0
    if arguments.quick and not arguments.workloads:
        cells = matrix.quick(arguments.provider)
    else:
        cells = matrix.chosen(
            arguments.provider,
            arguments.workloads,
            arguments.steps,
            arguments.batch,
            arguments.threads,
            arguments.equations,
        )
    settings = QUICK if arguments.quick else Settings()
    settings = replace(settings, limit=arguments.limit, search=arguments.search, here=arguments.here)
    results = Results(arguments.results or FOLDER / f"{machine.name(arguments.provider)}.json")
    results.machine = machine.facts(arguments.provider)
    searches = Searches(results.path.parent / SETTINGS / results.path.name)
    harness = Harness(arguments.systems or systems.names(), settings, searches=searches)
    if not arguments.here:
        make_environments(harness.names)
    if arguments.prepare:
        for cell in track(cells, "searching", console=console_for_all()):
            harness.prepare(cell)
        return 0
    finished = measure_all(cells, harness, results, arguments.budget, again=arguments.again)
    console_for_all().print(f"{finished} of {len(cells)} cells are in {results.path}")
    return 0


def make_environments(names: Sequence[str]) -> None:
    """Those of the peers, so that they cost no cell its time; one that cannot be made will be a row with the reason."""
    with console_for_all().status("") as status:
        for name in names:
            status.update(f"the environment of {name}")
            with suppress(DidNotRunError):
                environments.python_of(name, systems.system(name).requirements)


def console_for_all() -> Console:
    """As wide as the terminal; in a file, as wide as tables are."""
    console = Console()
    return console if console.is_terminal else Console(width=150)


def _check(what: str, asked: Sequence[str] | None, there: Sequence[str]) -> None:
    unknown = [name for name in asked or [] if name not in there]
    if unknown:
        raise RefusedError(f"there is no {what} {unknown[0]!r}; there are {', '.join(there)}")


def measure_all(cells: Sequence[Cell], harness: Harness, results: Results, budget: float | None, *, again: bool) -> int:
    """Runs the cells that are not finished, and shows each as it comes; the number of those that then are."""
    console, end = console_for_all(), time.monotonic() + 60 * (budget or float("inf"))
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    finished = 0
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(cells))
        harness.say = lambda text: progress.update(task, description=text[:70])
        for cell in cells:
            known = results.cells.get(cell.key)
            if known is not None and is_finished(known, harness) and not again:
                finished += 1
            elif time.monotonic() < end:
                results.put(harness.run(cell))
                console.print(table(results.cells[cell.key]))
                finished += 1
            progress.advance(task)
    return finished


def is_finished(result: CellResult, harness: Harness) -> bool:
    """Whether a cell has all the harness's systems, made of what they are made of today."""
    return harness.made_with().items() <= result.made_with.items()


def table(result: CellResult) -> Table:
    """Of a cell, for the terminal."""
    shown = Table(title=f"{result.cell}  (load {result.load_average}, {result.seconds:.0f} s)", title_justify="left")
    for column in ("system", "ms", "10 % - 90 %", "per s", "first ms", "load s", "MB", "outputs"):
        side: Literal["left", "right"] = "left" if column in ("system", "outputs") else "right"
        shown.add_column(column, justify=side, no_wrap=column != "outputs", max_width=60)
    for row in result.rows:
        if row.times is None:
            reason = row.reason if row.reason.startswith(row.state) else f"{row.state}: {row.reason}"
            shown.add_row(row.system, *[""] * 6, reason)
            continue
        times = row.times
        shown.add_row(
            row.system,
            f"{1e3 * times.p50:.4g}",
            f"{1e3 * times.p10:.3g} - {1e3 * times.p90:.3g}",
            f"{result.cell.batch / times.p50:.3g}",
            f"{1e3 * (row.first_seconds or 0):.3g}",
            f"{row.load_seconds or 0:.2f}",
            f"{(row.peak_bytes or 0) / 1e6:.0f}",
            row.difference,
        )
    return shown


def show_list(provider: str) -> None:
    """Workloads, systems and the size of the matrix."""
    console = console_for_all()
    cells = matrix.matrix(provider)
    shown = Table("workload", "what", "equations", "cells")
    for name, make in WORKLOADS.items():
        equations = ", ".join(equation.value for equation in make().equations)
        shown.add_row(name, make().summary, equations, str(sum(cell.workload == name for cell in cells)))
    console.print(shown)
    shown = Table("system", "equations", "environment")
    for name in systems.names():
        system = systems.system(name)
        equations = ", ".join(sorted(equation.value for equation in system.equations))
        shown.add_row(name, equations, system.requirements.name if system.requirements else "this one")
    console.print(shown)


if __name__ == "__main__":
    end_on_signals()
    sys.exit(main())
