"""The report as one page of HTML with its pictures inside."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from converter.conversion.result import Conversion
from converter.io.files import write_whole
from converter.report.plots import front_figure, new_figure
from converter.report.tables import conversion_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .5em 0 1.5em } th, td { padding: .2em .8em; border-bottom: 1px solid #ddd }
td { font-variant-numeric: tabular-nums } th { text-align: left } .right { text-align: right } h2 { margin-top: 1.5em }
"""


def write_html(conversion: Conversion, path: str | Path, *, memory: bool = False) -> None:
    """Writes the report, whole or not at all; with `memory` also what moves.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    options = conversion.options
    parts = [
        f"<h1>{escape(conversion.ann.path.name)}</h1>",
        (
            f"<p>{len(conversion.layers)} layers of spiking neurons ({escape(str(conversion.recipe))}), "
            f"T = {options.n_steps}, schedule {options.schedule}, {conversion.calibration_samples} calibration samples.</p>"
        ),
        *(f"<p><b>Note:</b> {escape(note)}.</p>" for note in conversion.notes),
        _layers_picture(conversion),
        *(_table(table) for table in conversion_tables(conversion, memory=memory)),
    ]
    if conversion.trials:
        parts.insert(2, _trials_picture(conversion))
    if conversion.front:
        parts.insert(2, _svg(front_figure(conversion.front)))
    page = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(conversion.ann.path.name)}</title>"
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )
    write_whole(path, page.encode())


def _table(table: Table) -> str:
    """A table of the terminal as HTML."""
    columns = [(str(column.header), column.justify, [str(cell) for cell in column.cells]) for column in table.columns]

    def cells(tag: str, texts: Sequence[str]) -> str:
        sides = ("right" if justify == "right" else "left" for _, justify, _ in columns)
        marked = (f"<{tag} class='{side}'>{escape(text)}</{tag}>" for side, text in zip(sides, texts, strict=True))
        return f"<tr>{''.join(marked)}</tr>"

    rows = "".join(cells("td", row) for row in zip(*(texts for *_, texts in columns), strict=True))
    return f"<h2>{escape(str(table.title))}</h2><table>{cells('th', [h for h, *_ in columns])}{rows}</table>"


def _layers_picture(conversion: Conversion) -> str:
    """Error and spike rate by layer, from the first to the last."""
    names = [layer.name for layer in conversion.layers]
    figure = new_figure(10, 1.2 + 0.22 * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(names, [100 * layer.relative_error for layer in conversion.layers], color="#c44")
    left.set_title("error against the trained model in %")
    right.barh(names, [layer.spike_rate for layer in conversion.layers], color="#48a")
    right.set_title("spikes per neuron and step")
    left.invert_yaxis()
    left.tick_params(axis="y", labelsize=7)
    return _svg(figure)


def _trials_picture(conversion: Conversion) -> str:
    """Error over the number of steps, a line per recipe."""
    figure = new_figure(7, 3.6)
    axes = figure.add_subplot()
    for trial in conversion.trials:
        chosen = trial is conversion.trials[-1]
        axes.plot(
            list(trial.errors),
            [100 * error for error in trial.errors.values()],
            marker="o",
            linewidth=2.5 if chosen else 1,
            label=f"{trial.recipe} (taken)" if chosen else str(trial.recipe),
        )
    axes.set(xscale="log", yscale="log", xlabel="time steps", ylabel="error of the outputs in %")
    ticks = list(conversion.trials[0].errors)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]
