"""docs/benchmarks.md, its plots and the README's table of speed, from the files of results: ``python -m benchmarks.page``.

Files that are named are those of speed; accuracy comes from all files of its folder.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy import page as accuracy
from benchmarks.matrix import ALL_STEPS, Cell
from benchmarks.process import ROOT
from benchmarks.results import ELSE, MEASURED, CellResult, Results, Row
from benchmarks.workloads.catalogue import WORKLOADS
from snn_ops.files import write_whole

RESULTS = Path(__file__).parent / "results"
PAGE, PICTURES, README = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "images", ROOT / "README.md"
BEGIN, END = "<!-- written by `make bench` -->", "<!-- until here -->"
OURS, TRAINED = "onnx-snn", "trained"
FEWEST_RUNS_FOR_P99 = 100
CLAIMS = (
    Cell("cnn", "if", 30, 100, 2, "cpu"),
    Cell("cnn", "nengo-if", 30, 100, 2, "cpu"),
    Cell("lenet-5", "if", 32, 1, 2, "cpu"),
    Cell("lenet-5", "nengo-if", 32, 1, 2, "cpu"),
    Cell("mlp", "if", 30, 100, 2, "cpu"),
)
"""Cells that the README speaks of."""
HEAD = Path(__file__).with_suffix(".md")
"""What the page says before the tables."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: all of benchmarks/results")
    arguments = parser.parse_args()
    files = arguments.files or sorted(RESULTS.glob("*.json"))
    write([Results(path) for path in files])


def write(results: Sequence[Results]) -> None:
    """The page, its plots, and the README's lines."""
    PICTURES.mkdir(exist_ok=True)
    for one in results:
        for name, draw in plots(one):
            write_whole(PICTURES / name, draw())
    write_whole(PAGE, page(results).encode())
    write_whole(README, with_block(README.read_text(), claims(results)).encode())


def with_block(text: str, lines: str) -> str:
    """The text with other lines between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{rest.partition(END)[2]}"


def page(results: Sequence[Results]) -> str:
    """All of it."""
    lines = [HEAD.read_text(), *accuracy_section(), *(line for one in results for line in machine_section(one))]
    return "\n".join(lines).rstrip() + "\n"


def accuracy_section() -> Iterator[str]:
    """A table for each machine."""
    for path in sorted(accuracy.FOLDER.glob("*.json")):
        content = accuracy.read(path)
        facts = content["machine"]
        yield f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}, ONNX Runtime {facts['onnxruntime']}:"
        yield ""
        yield from accuracy.table(content["rows"], facts["cores"])
        yield ""


def machine_section(results: Results) -> Iterator[str]:
    """Of a file of results."""
    machine = results.machine
    yield f"## {machine.get('gpu') or machine.get('processor', 'a machine')}"
    yield ""
    memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB" if "memory_bytes" in machine else ""
    facts = [f"{machine.get('cores')} cores", memory, f"kernels {machine.get('isa')}", machine.get("system")]
    facts += [f"Python {machine.get('python')}", f"ONNX Runtime {machine.get('onnxruntime')}"]
    facts += [f"onnx-snn {machine.get('onnx-snn')}"]
    days = sorted({cell.when for cell in results.cells.values()})
    yield f"{', '.join(str(fact) for fact in facts if fact)}; {' to '.join(dict.fromkeys([days[0], days[-1]]))}."
    busy = [cell for cell in results.cells.values() if cell.load_average > int(machine.get("cores") or 1)]
    yield f"The load average before a cell was above the number of cores in {len(busy)} of {len(results.cells)} cells."
    yield ""
    for name, _ in plots(results):
        yield f"![{name.removesuffix('.png').replace('-', ' ')}](images/{name})"
        yield ""
    yield from settings_table(results)
    for workload in WORKLOADS:
        cells = [cell for cell in results.cells.values() if cell.cell.workload == workload]
        if cells:
            yield f"### {workload}: {WORKLOADS[workload]().summary}"
            yield ""
            for cell in sorted(cells, key=lambda c: (c.cell.equation, c.cell.threads, c.cell.batch, c.cell.n_steps)):
                yield from cell_table(cell)


def settings_table(results: Results) -> Iterator[str]:
    """Versions and settings of each system, and why it did not run where it ran nowhere."""
    yield "### Systems"
    yield ""
    yield from markdown(
        ["system", "versions", "settings, where it was measured", "cells", "elsewhere"], system_rows(results)
    )
    yield ""


def system_rows(results: Results) -> Iterator[list[str]]:
    rows: dict[str, list[Row]] = {}
    for cell in results.cells.values():
        for row in cell.rows:
            rows.setdefault(row.system, []).append(row)
    for name, found in rows.items():
        measured = [row for row in found if row.state == MEASURED]
        versions = dict.fromkeys(row.version for row in found if row.version)
        settings: dict[str, dict[str, None]] = {}
        for row in measured:
            for key, value in row.settings.items():
                if isinstance(value, dict):  # what was tried is in the file
                    continue
                settings.setdefault(key, {})[str(value)] = None
        words = "; ".join(f"{key}: {' or '.join(list(values)[:6])}" for key, values in settings.items())
        reasons = dict.fromkeys(reason(row) for row in found if row.state != MEASURED)
        yield [name, ", ".join(versions), words, f"{len(measured)} of {len(found)}", "; ".join(list(reasons)[:4])]


def reason(row: Row) -> str:
    """Why a row has no times."""
    return row.reason if row.reason.startswith(row.state) else f"{row.state}: {row.reason}"


def cell_table(cell: CellResult) -> Iterator[str]:
    """A row for each system; what is faster than ours, in bold."""
    yield f"**{cell.cell}**"
    yield ""
    head = [
        "system",
        "ms",
        "10 % - 90 %",
        "p99 ms",
        "samples/s",
        "to ours",
        "to trained",
        "load s",
        "first ms",
        "peak MB",
    ]
    head += ["conversion s", "file MB", "outputs"]
    yield from markdown(head, [line_of(row, cell) for row in cell.rows])
    yield ""


def line_of(row: Row, cell: CellResult) -> list[str]:
    times, ours = row.times, cell.row(OURS)
    if times is None:
        return [row.system, *[""] * 11, reason(row)]
    faster = ours is not None and ours.times is not None and row.target == "spiking" and times.p50 < ours.times.p50
    return [
        f"**{row.system}**" if faster and not row.system.startswith(OURS) else row.system,
        number(1e3 * times.p50),
        f"{number(1e3 * times.p10)} - {number(1e3 * times.p90)}",
        number(1e3 * times.p99) if cell.cell.batch == 1 and times.runs >= FEWEST_RUNS_FOR_P99 else "",
        number(cell.cell.batch / times.p50),
        *(number(times.p50 / base) if base else "" for base in (median(cell, OURS), median(cell, TRAINED))),
        number(row.load_seconds),
        number(1e3 * row.first_seconds) if row.first_seconds is not None else "",
        number(row.peak_bytes / 1e6) if row.peak_bytes else "",
        number(row.conversion_seconds),
        number(row.file_bytes / 1e6) if row.file_bytes else "",
        row.note or row.difference,
    ]


def number(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(text.replace('|', '/').replace(chr(10), ' ') for text in row)} |"


def claims(results: Sequence[Results]) -> str:
    """What the README says: ratios of medians in the cells of `CLAIMS`, of the first file that has them."""
    cells = [next((one.cells[c.key] for one in results if c.key in one.cells), None) for c in CLAIMS]
    known = [cell for cell in cells if cell is not None]
    if not known:
        return "Not measured yet: `make bench`."
    systems = list(dict.fromkeys(row.system for cell in known for row in cell.rows if row.system != OURS))
    systems = [name for name in systems if any((row := cell.row(name)) and row.times for cell in known)]
    head = ["times as long as ONNX-SNN step by step", *(str(cell.cell) for cell in known)]
    rows = [[name, *(ratio(cell, name) for cell in known)] for name in systems]
    ours = [f"{number(1e3 * times)} ms" if (times := median(cell, OURS)) else "" for cell in known]
    return "\n".join(markdown(head, [["ONNX-SNN itself", *ours], *rows]))


def median(cell: CellResult, system: str) -> float | None:
    """Seconds of a run, where it was measured."""
    row = cell.row(system)
    return row.times.p50 if row is not None and row.times is not None else None


def ratio(cell: CellResult, system: str) -> str:
    """To ours; or a word why there is none."""
    theirs, ours, row = median(cell, system), median(cell, OURS), cell.row(system)
    if theirs and ours:
        return number(theirs / ours)
    if row is None:
        return ""
    return {ELSE: "other outputs"}.get(row.state, "-")


Draw = Callable[[], bytes]


def plots(results: Results) -> Iterator[tuple[str, Draw]]:
    """Names and what draws them, of those that there are results for."""
    machine = results.path.stem
    for workload in ("lenet-5", "mlp"):
        over_steps = curves(results, Cell(workload, "if", 0, 32, 2, provider_of(results)), "n_steps", ALL_STEPS)
        if over_steps:
            yield (
                f"bench-{machine}-{workload}-steps.png",
                lambda c=over_steps, w=workload: draw_curves(  # type: ignore[misc]
                    c, f"{w}, if, batch 32", "time steps"
                ),
            )
        over_batch = curves(results, Cell(workload, "if", 32, 0, 2, provider_of(results)), "batch", (1, 32, 256))
        if over_batch:
            yield (
                f"bench-{machine}-{workload}-batch.png",
                lambda c=over_batch, w=workload: draw_curves(  # type: ignore[misc]
                    c, f"{w}, if, T = 32", "batch"
                ),
            )
    shown = [results.cells[cell.key] for cell in CLAIMS[:2] if cell.key in results.cells]
    if shown:
        yield f"bench-{machine}-throughput.png", lambda: draw_throughput(shown)


def provider_of(results: Results) -> str:
    """cuda where the machine has a GPU that was used."""
    return "cuda" if results.machine.get("gpu") else "cpu"


Curves = dict[str, tuple[list[int], list[float]]]


def curves(results: Results, cell: Cell, axis: str, values: Sequence[int]) -> Curves:
    """Milliseconds by system over one of the cell's fields, where there are two at least."""
    found: Curves = {}
    for value in values:
        key = Cell(**{**vars(cell), axis: value}).key
        for row in results.cells[key].rows if key in results.cells else ():
            if row.times is not None:
                xs, ys = found.setdefault(row.system, ([], []))
                xs.append(value)
                ys.append(1e3 * row.times.p50)
    return {name: both for name, both in found.items() if len(both[0]) > 1}


def draw_curves(found: Curves, title: str, axis: str) -> bytes:
    """Both axes logarithmic."""
    figure, axes = new_figure()
    for name, (xs, ys) in found.items():
        axes.plot(xs, ys, marker="o", markersize=3, label=name, linewidth=2.5 if name == OURS else 1.2)
    axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="ms per batch", title=title)
    axes.set_xticks(ticks := sorted({x for xs, _ in found.values() for x in xs}), [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return as_png(figure)


def draw_throughput(cells: Sequence[CellResult]) -> bytes:
    """Samples per second, a bar for each system."""
    bars = [
        (f"{row.system} ({cell.cell.equation})", cell.cell.batch / row.times.p50)
        for cell in cells
        for row in cell.rows
        if row.times is not None
    ]
    bars.sort(key=lambda bar: bar[1])
    figure, axes = new_figure(height=1 + 0.25 * len(bars))
    axes.barh([name for name, _ in bars], [value for _, value in bars])
    axes.set(xscale="log", xlabel="samples per second", title=f"{cells[0].cell.workload}, T = {cells[0].cell.n_steps}")
    return as_png(figure)


def new_figure(height: float = 4) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def as_png(figure: Any) -> bytes:
    """Without a date, so that the same numbers give the same file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


if __name__ == "__main__":
    main()
