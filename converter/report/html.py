"""The report: one page of HTML that opens without a network, its charts drawn by the Plotly that it carries.

The page's policy (Content-Security-Policy) forbids whatever is fetched from elsewhere, and every script but the page's two,
which it knows by their digests. Texts of files are escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path

from rich.table import Table

import snn_ops
from converter.conversion.result import Conversion
from converter.io.files import write_whole
from converter.report.charts import ASSUMED, name_of, page_data
from converter.report.console import printable
from converter.report.tables import conversion_tables
from converter.report.words import headline, next_steps, stays_analog, tiles

PLOTLY = "plotly-cartesian.min.js"
"""plotly.js 4.1.1, the bundle "cartesian" of its npm package, MIT licence (data/plotly-LICENSE)."""


def write_html(conversion: Conversion, path: str | Path, *, memory: bool = False) -> None:
    """Writes the report, whole or not at all.

    Args:
        conversion: what to report on; made with ``traces=True`` it also shows spikes, voltages and distributions.
        path: the file.
        memory: also show what moves.

    Raises:
        RefusedError: the folder does not exist or cannot be written to.
    """
    write_whole(path, html_page(conversion, memory=memory).encode())


def html_page(conversion: Conversion, *, memory: bool = False) -> str:
    """The same as text."""
    title = escape(name_of(conversion.ann.path.name))
    scripts = [_data(PLOTLY), _data("report.js")]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{title} as a spiking network</title>\n<style>{_data('report.css')}</style>\n</head>\n<body>\n"
        f"{_body(conversion, title, memory=memory)}"
        f'<script type="application/json" id="data">{_json(conversion)}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in scripts)
        + "</body>\n</html>\n"
    )


def table_as_html(table: Table, *, caption: bool = True) -> str:
    """A table of the terminal."""
    columns = [(str(column.header), column.justify, [str(cell) for cell in column.cells]) for column in table.columns]

    def cells(tag: str, texts: Sequence[str]) -> str:
        sides = ("right" if justify == "right" else "left" for _, justify, _ in columns)
        marked = (f'<{tag} class="{side}">{escape(text)}</{tag}>' for side, text in zip(sides, texts, strict=True))
        return f"<tr>{''.join(marked)}</tr>"

    rows = "".join(cells("td", row) for row in zip(*(texts for *_, texts in columns), strict=True))
    head = f"<thead>{cells('th', [h for h, *_ in columns])}</thead>"
    title = f"<caption>{escape(str(table.title))}</caption>" if caption else ""
    return f'<div class="wide"><table>{title}{head}<tbody>{rows}</tbody></table></div>'


@cache
def _data(name: str) -> str:
    return (resources.files("converter.report") / "data" / name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )


def _json(conversion: Conversion) -> str:
    """The numbers, with nothing in them that could end the element that holds them."""
    text = json.dumps(page_data(conversion), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _body(conversion: Conversion, title: str, *, memory: bool) -> str:
    sections = [
        _outputs(conversion),
        _network(conversion),
        _spikes(conversion),
        _energy(conversion),
        _analog(conversion),
        _next(conversion),
        _tables(conversion, memory=memory),
    ]
    there = [section for section in sections if section]
    links = "".join(f'<a href="#part-{name}">{short}</a>' for name, short, _, _ in there)
    parts = "".join(f'<section id="part-{name}"><h2>{long}</h2>{text}</section>\n' for name, _, long, text in there)
    return (
        f'<p class="over">Conversion report, onnx-snn {escape(snn_ops.__version__)}</p><h1>{title} as a spiking network</h1>\n'
        "<noscript><p>The charts of this page need JavaScript; all numbers are in the tables at its end.</p></noscript>\n"
        f"{_top(conversion)}<nav>{links}</nav>\n{parts}{_footer(conversion)}"
    )


_Section = tuple[str, str, str, str]
"""Its name, what the list of sections calls it, its heading, its text."""


def _top(conversion: Conversion) -> str:
    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in headline(conversion))
    boxes = "".join(
        f'<div class="tile"><dt>{escape(tile.label)}</dt><dd class="value">{escape(tile.value)}</dd>'
        f'<dd class="more">{escape(tile.note)}</dd></div>'
        for tile in tiles(conversion)
    )
    left = f'<div>{words}<dl class="tiles">{boxes}</dl></div>'
    if conversion.front is None:
        return f'<div class="top">{left}<figure><h3>Energy of a sample</h3>{_chart("energy")}{_ENERGY_NOTE}</figure></div>\n'
    note = (
        f"Each point was measured on {conversion.front.samples} samples while choosing; further down and further left is "
        "better. The ring is what was chosen, calibrated anew with all samples since."
    )
    caption = f'<figcaption><span id="front-note"></span>{note}</figcaption>'
    return f'<div class="top">{left}<figure><h3>What is lost against energy</h3>{_chart("front")}{caption}</figure></div>\n'


_ENERGY_NOTE = (
    '<figcaption id="energy-says" class="says"></figcaption>'
    "<figcaption>Arithmetic alone, without memory; the assumptions stand, and can be changed, under Energy.</figcaption>"
)


def _outputs(conversion: Conversion) -> _Section | None:
    if conversion.front is None and (conversion.traces is None or not conversion.traces.outputs):
        return None
    over_j = conversion.front is not None and conversion.front.chosen.exponent is not None
    what = "finer spikes" if over_j else "more time steps"
    text = (
        f"<p>How close the answers come to the trained network's with {what}. The dotted line is what was chosen"
        f"{'' if over_j else '; a caller may stop earlier or go on longer'}.</p>"
        f'<div class="pair"><figure><h3>Answers</h3>{_chart("classes")}</figure>'
        f"<figure><h3>Error of the outputs, ‖spiking - trained‖ / ‖trained‖</h3>{_chart('errors')}</figure></div>"
    )
    trials = f"{len(conversion.trials)} recipes were tried; the tables have them." if conversion.trials else ""
    stream = conversion.measured.stream
    if stream is not None:
        share = (
            ""
            if stream.agreement is None
            else f", the trained network's class on {100 * stream.agreement:.3g} % of them"
        )
        error = "" if stream.relative_error is None else f", error {100 * stream.relative_error:.3g} %"
        trials += f" As a stream, samples one after the other without a reset, {stream.frames} frames{share}{error}."
    more = f'<p class="note">{escape(trials.strip())}</p>' if trials else ""
    return "over-time", "Over time", "The answers over time", text + more


def _network(conversion: Conversion) -> _Section:
    views = "".join(
        f'<button type="button" data-view="{view}" aria-pressed="{str(view == "error").lower()}">{word}</button>'
        for view, word in (("error", "error"), ("rate", "spikes"), ("share", "energy"))
    )
    seen = conversion.traces
    charts = '<p class="note">What single neurons do was not recorded: convert with traces=True, or --report.</p>'
    if seen is not None:
        charts = (
            '<div class="charts">'
            f"<figure><h3>Thresholds</h3>{_chart('thresholds')}</figure>"
            f"<figure><h3>Firing rates</h3>{_chart('rates')}</figure>"
            f"<figure><h3>Activation against what was sent</h3>{_chart('density')}</figure>"
            f"<figure><h3>Error of this layer over time</h3>{_chart('layer-errors')}</figure></div>"
            f'<p class="note">Rates and what was sent: {seen.counted} samples, {conversion.compared_steps} steps; darker is '
            f"more often, the dashed line is exact. Error over time: {seen.compared} samples.</p>"
        )
    text = (
        "<p>Every row is a layer of neurons, or a part that stays analog (a diamond). Lines are connections. Choose a layer to "
        "see what it does.</p>"
        f'<div class="split"><div><div class="controls"><span>Colour by</span>{views}</div>'
        f'<div class="net">{_chart("network")}</div></div>'
        '<div><div class="controls"><label>Layer <select class="layer"></select></label></div>'
        f'<h3 id="layer-name"></h3><p id="fed" class="note"></p><dl id="facts" class="facts"></dl>{charts}</div></div>'
    )
    return "network", "Network", "The network, layer by layer", text


def _spikes(conversion: Conversion) -> _Section | None:
    if conversion.traces is None or not conversion.traces.samples:
        return None
    text = (
        "<p>Each mark is a spike of a neuron at a time step. The samples are the first of those that were measured on.</p>"
        '<div id="samples" class="samples"></div>'
        '<div class="controls"><label>Layer <select class="layer"></select></label></div>'
        f'<figure>{_chart("raster")}</figure><p id="firing-note" class="note"></p><figure>{_chart("voltage")}</figure>'
    )
    return "spikes", "Spikes", "Spikes and voltages", text


def _energy(conversion: Conversion) -> _Section:
    words = {
        "multiply_add": "multiply-add, 32-bit floats",
        "addition": "addition of a spike",
        "eight_bit": "multiply-add, 8-bit integers",
        "update": "update of a neuron",
    }
    inputs = "".join(
        f'<label>{words[name]}, pJ<input id="pj-{name}" type="number" min="0" step="any" inputmode="decimal" value="{value:g}">'
        "</label>"
        for name, value in ASSUMED.items()
    )
    says = "" if conversion.front is None else '<p id="energy-says" class="says"></p>'
    networks = "" if conversion.front is None else f"<figure><h3>Networks</h3>{_chart('energy')}</figure>"
    text = (
        "<p>An estimate: how often what is computed for a sample, times what each is assumed to take. Defaults: 45 nm, 0.9 V "
        "(Horowitz 2014), arithmetic alone, without memory and without what a chip takes at rest. Change them to those of your "
        "hardware.</p>"
        f'<div class="inputs">{inputs}</div><div class="controls">'
        '<label><input type="checkbox" id="with-updates"> count the updates of neurons</label>'
        '<button type="button" data-preset="floats">32-bit floats</button>'
        '<button type="button" data-preset="integers">spikes with 8-bit weights</button></div>'
        f'{says}<p id="break-even" class="note"></p><div class="pair">{networks}'
        f"<figure><h3>Layers with weights</h3>{_chart('energy-by-layer')}</figure></div>"
    )
    return "energy", "Energy", "Energy, under assumptions that you can change", text


def _analog(conversion: Conversion) -> _Section:
    work = {layer.name: layer for layer in conversion.work.layers}
    in_islands = {name for island in conversion.islands for name in island.nodes}
    rows = [
        (name_of(layer.name), "layer with weights", f"{layer.analog:,}", "it takes numbers, not spikes")
        for layer in conversion.work.layers
        if layer.analog and layer.name not in in_islands
    ]
    for island in conversion.islands:
        products = sum(work[name].multiply_adds for name in island.nodes if name in work)
        names = ", ".join(name_of(name) for name in island.nodes)
        reason = "it does not commute with a mean over time"
        rows.append(
            (
                names,
                ", ".join(name_of(op_type) for op_type in dict.fromkeys(island.op_types)),
                f"{products or island.multiply_adds:,}",
                reason,
            )
        )
    rows += [(name_of(k.name), name_of(k.activation), "", printable(k.reason)) for k in conversion.kept_analog]
    body = "".join(
        f'<tr><td>{escape(name)}</td><td>{escape(what)}</td><td class="right">{count}</td><td>{escape(why)}</td></tr>'
        for name, what, count, why in rows
    )
    head = '<tr><th>where</th><th>what</th><th class="right">multiply-adds</th><th>why</th></tr>'
    table = f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>' if rows else ""
    return "analog", "Analog", "What stays analog, and why", f"<p>{escape(stays_analog(conversion))}</p>{table}"


def _next(conversion: Conversion) -> _Section:
    notes = "".join(f"<li>{escape(_sentence(printable(note)))}</li>" for note in conversion.notes)
    known = f'<h3>Found while converting</h3><ul class="steps">{notes}</ul>' if notes else ""
    steps = "".join(
        f"<li>{escape(step.text)}{f': <code>{escape(step.options)}</code>' if step.options else ''}</li>"
        for step in next_steps(conversion)
    )
    return "next", "Next", "What to try next", f'{known}<h3>To try</h3><ul class="steps">{steps}</ul>'


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _tables(conversion: Conversion, *, memory: bool) -> _Section:
    text = "".join(
        f"<details><summary>{escape(str(table.title))}</summary>{table_as_html(table, caption=False)}</details>"
        for table in conversion_tables(conversion, memory=memory)
    )
    return "tables", "Tables", "All numbers", text


def _chart(name: str) -> str:
    return f'<div class="chart" id="{name}"></div>'


def _footer(conversion: Conversion) -> str:
    recipe = "" if conversion.options.is_delta else f", {escape(str(conversion.recipe))}"
    return (
        f"<footer><p>Made by onnx-snn {escape(snn_ops.__version__)} from {escape(name_of(conversion.ann.path.name))} (SHA-256 "
        f"{escape(conversion.ann.sha256)}), {conversion.calibration_samples} calibration samples{recipe}. The page fetches "
        "nothing and sends nothing. Charts: plotly.js, MIT licence, © Plotly, Inc.</p></footer>\n"
    )
