"""How results show themselves in a notebook: conversions, evaluations, operators.

IPython asks these functions by the names of the classes, so nothing is imported before there is something to show.
``import converter`` in a notebook registers them; elsewhere ``%load_ext converter`` does.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.conversion.result import Conversion
    from converter.measure.evaluation import Evaluation
    from snn_ops.ops import Operator

_STYLE = "border-collapse:collapse"


def register(shell: Any) -> None:
    """Tells IPython how our results look.

    Args:
        shell: of IPython.
    """
    shown: tuple[tuple[str, str, Callable[[Any], str], Callable[[Any], str]], ...] = (
        ("converter.conversion.result", "Conversion", conversion_html, conversion_text),
        ("converter.measure.evaluation", "Evaluation", evaluation_html, evaluation_text),
        ("snn_ops.ops._operator", "Operator", operator_html, operator_text),
    )
    for module, name, as_html, as_text in shown:
        shell.display_formatter.formatters["text/html"].for_type_by_name(module, name, as_html)
        shell.display_formatter.formatters["text/plain"].for_type_by_name(module, name, _printer(as_text))


def _printer(as_text: Callable[[Any], str]) -> Callable[[Any, Any, bool], None]:
    def show(value: Any, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else as_text(value))

    return show


def conversion_html(conversion: Conversion) -> str:
    """What it gives and costs, the front, the layers."""
    from converter.report.html import table_as_html
    from converter.report.plots import front_figure
    from converter.report.tables import layers_table
    from converter.report.words import headline, tiles

    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in headline(conversion))
    numbers = "".join(
        f"<td style='text-align:left'><b style='font-size:1.3em'>{escape(tile.value)}</b><br>{escape(tile.label)}<br>"
        f"<small>{escape(tile.note)}</small></td>"
        for tile in tiles(conversion)
    )
    picture = "" if conversion.front is None else _svg(front_figure(conversion.front))
    layers = table_as_html(layers_table("Layers of spiking neurons", conversion.layers))
    folded = f"<details><summary>Layers</summary>{layers}</details>"
    return f"<div>{words}<table style='{_STYLE}'><tr>{numbers}</tr></table>{picture}{folded}</div>"


def conversion_text(conversion: Conversion) -> str:
    """The same in some lines."""
    from converter.report.words import headline

    return "\n".join(headline(conversion))


def evaluation_html(evaluation: Evaluation) -> str:
    """The table of steps, and the curve."""
    from converter.report.html import table_as_html
    from converter.report.plots import accuracy_figure
    from converter.report.tables import steps_table

    title = f"{evaluation.samples} samples"
    there = any(share is not None for step in evaluation.steps for share in (step.accuracy, step.agreement))
    picture = _svg(accuracy_figure({"spiking": evaluation}, title=title)) if there and len(evaluation.steps) > 1 else ""
    return f"<div>{table_as_html(steps_table(title, evaluation))}{picture}</div>"


def evaluation_text(evaluation: Evaluation) -> str:
    """The same in some lines."""
    from converter.report.console import number, percent

    trained = "" if evaluation.ann_accuracy is None else f", trained model {percent(evaluation.ann_accuracy)}"
    lines = [f"{evaluation.samples} samples{trained}"]
    lines += [
        f"T = {step.n_steps}: accuracy {percent(step.accuracy)}, agreement {percent(step.agreement)}, "
        f"error {number(step.relative_error)}"
        for step in evaluation.steps
    ]
    return "\n".join(lines)


def operator_html(operator: Operator) -> str:
    """Its equation, inputs, outputs and attributes."""
    rows = [("input", t.name, t.description) for t in operator.inputs]
    rows += [("output", t.name, t.description) for t in operator.outputs]
    rows += [("attribute", a.name, f"{a.description} (default {a.default})") for a in operator.attributes]
    cells = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<div><b>{escape(operator.name)}</b>: {escape(operator.summary)}<pre>{escape(operator.equation)}</pre>"
        f"<table style='{_STYLE}'>{cells}</table></div>"
    )


def operator_text(operator: Operator) -> str:
    """Its name and what it does."""
    return f"{operator.name}: {operator.summary}\n\n{operator.equation}"


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]
