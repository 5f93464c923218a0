"""The tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from converter.activations.sites import KeptAnalog
from converter.conversion.result import Conversion, Layer
from converter.measure.cost import WorkTotals
from converter.measure.evaluation import Evaluation
from converter.report.console import number, percent, table
from converter.spiking.islands import Island


def layers_table(title: str, layers: Sequence[Layer]) -> Table:
    """A row per layer of neurons."""
    rows = [
        (
            layer.name,
            layer.activation,
            layer.neuron,
            layer.max_spikes or "-",
            layer.channels,
            *(number(value) for value in layer.threshold),
            percent(layer.relative_error),
            number(layer.spike_rate),
            f"{layer.synaptic_operations:,.0f}",
        )
        for layer in layers
    ]
    columns = (
        "layer",
        "activation",
        "neuron",
        "most spikes",
        "channels",
        "spike height, min",
        "median",
        "max",
        "error",
        "spikes/step",
        "synaptic operations",
    )
    return table(title, columns, rows, left=3)


def islands_table(islands: Sequence[Island]) -> Table:
    """A row per analog island."""
    rows = [(", ".join(i.nodes), ", ".join(i.op_types), f"{i.multiply_adds:,}") for i in islands]
    return table("Analog islands: parts that do not spike", ("nodes", "operators", "multiply-adds"), rows, left=2)


def kept_analog_table(kept: Sequence[KeptAnalog]) -> Table:
    """A row per activation that stays as it is."""
    rows = [(activation.name, activation.activation, activation.reason) for activation in kept]
    return table("Activations that stay analog", ("node", "activation", "why"), rows, left=3)


def trials_table(conversion: Conversion) -> Table:
    """What `auto` measured; the last row is what it took."""
    steps = list(conversion.trials[0].errors)
    rows = [
        (str(trial.recipe), *(percent(trial.errors[n]) for n in steps), number(trial.spike_rate))
        for trial in conversion.trials
    ]
    columns = ("recipe", *(f"error, T = {n}" for n in steps), "spikes/step")
    return table("Measured on held-out calibration samples; the last one was taken", columns, rows)


def work_table(work: WorkTotals, n_steps: int) -> Table:
    """What there is to compute for a sample, and what the energy assumes."""
    rows = [
        ("multiply-adds of the trained model", f"{work.multiply_adds:,}"),
        ("multiply-adds that stay analog", f"{work.analog:,}"),
        (f"synaptic operations, T = {n_steps}", f"{work.synaptic_operations:,.0f}"),
        ("energy, share of the trained model's *", percent(work.energy_ratio)),
    ]
    title = "Work per sample   (* 4.6 pJ a multiply-add, 0.9 pJ an addition, 45 nm, without memory)"
    return table(title, ("what", "how much"), rows)


def conversion_tables(conversion: Conversion) -> list[Table]:
    """What was done to a model."""
    title = f"{conversion.ann.path.name}: layers of spiking neurons; errors after {conversion.compared_steps} steps"
    tables = [layers_table(title, conversion.layers)]
    if conversion.islands:
        tables.append(islands_table(conversion.islands))
    if conversion.kept_analog:
        tables.append(kept_analog_table(conversion.kept_analog))
    if conversion.trials:
        tables.append(trials_table(conversion))
    tables.append(work_table(conversion.work.totals(), conversion.options.n_steps))
    return tables


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
    """A row per layer: how many spikes a neuron fires in a step, those taken back included."""
    rows = [(name, number(rate)) for name, rate in evaluation.spike_rates.items()]
    return table("Spikes per neuron and step", ("layer", "rate"), rows)


def outputs_table(evaluation: Evaluation) -> Table:
    """A row per output and number of steps: how close it is to the trained model's."""
    rows = [
        (name, step.n_steps, percent(output.relative_error), number(output.cosine))
        for step in evaluation.steps
        for name, output in step.outputs.items()
    ]
    return table("Outputs against the trained model", ("output", "steps", "relative error", "cosine"), rows)
