"""The tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from converter.conversion import Conversion, Layer
from converter.evaluation import Evaluation
from converter.passes.analog_islands import Island
from converter.report.console import number, percent, table


def layers_table(title: str, layers: Sequence[Layer]) -> Table:
    """A row per layer of neurons."""
    rows = [
        (layer.name, layer.activation, layer.neuron, layer.channels, *(number(value) for value in layer.threshold))
        for layer in layers
    ]
    columns = ("layer", "activation", "neuron", "channels", "spike height, min", "median", "max")
    return table(title, columns, rows, left=3)


def islands_table(islands: Sequence[Island]) -> Table:
    """A row per analog island."""
    rows = [(", ".join(island.nodes), ", ".join(island.op_types)) for island in islands]
    return table("Analog islands: parts that do not spike", ("nodes", "operators"), rows, left=2)


def conversion_tables(conversion: Conversion) -> list[Table]:
    """What was done to a model."""
    made = [layers_table(f"{conversion.ann.path.name}: layers of spiking neurons", conversion.layers)]
    if conversion.islands:
        made.append(islands_table(conversion.islands))
    if conversion.rejected:
        rows = [(r.node, r.activation, r.reason) for r in conversion.rejected]
        made.append(table("Activations left as they are", ("node", "activation", "reason"), rows, left=3))
    return made


def steps_table(title: str, evaluation: Evaluation) -> Table:
    """A row per number of steps."""
    rows: list[tuple[object, ...]] = []
    if evaluation.ann_accuracy is not None:
        rows.append(("trained model", percent(evaluation.ann_accuracy), "", ""))
    rows += [
        (step.n_steps, percent(step.accuracy), percent(step.agreement), number(step.relative_error))
        for step in evaluation.steps
    ]
    return table(title, ("steps", "accuracy", "agreement", "relative error"), rows)


def rates_table(evaluation: Evaluation) -> Table:
    """A row per layer: how often its neurons spike."""
    rows = [(name, percent(rate)) for name, rate in evaluation.spike_rates.items()]
    return table("Spikes per neuron and step", ("layer", "rate"), rows)
