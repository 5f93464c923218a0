"""The tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from converter.activations.sites import KeptAnalog
from converter.conversion.result import Conversion, Front, Layer
from converter.measure.evaluation import Evaluation
from converter.measure.sequence import StreamEvaluation
from converter.measure.totals import EightBit, Measured, MemoryTraffic, WorkTotals
from converter.report.console import number, percent, table
from converter.spiking.islands import Island

MANY_STEPS = 8
"""T, beyond which only powers of two have a row."""


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
    drop = ("channels", "spike height, min", "max", "activation", "median", "most spikes", "synaptic operations")
    return table(title, columns, rows, left=3, drop=drop)


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


def front_table(front: Front) -> Table:
    """A row per point that was measured, and the 8-bit network; the one that was taken and the one beside it are marked."""
    rows: list[tuple[object, ...]] = []
    for index, point in enumerate(front.points):
        if point.n_steps > MANY_STEPS and index != front.taken and point.n_steps & (point.n_steps - 1):
            continue
        mark = {front.taken: "taken", front.beside: "beside"}.get(index, "")
        code = point.code if point.code == "delta" else f"{point.code}, {point.neuron}"
        rows.append(
            (
                mark,
                f"{code}, {point.schedule}",
                point.n_steps,
                "-" if point.exponent is None else point.exponent,
                percent(point.agreement),
                percent(point.relative_error),
                percent(point.loss),
                number(point.spikes_per_synapse),
                percent(point.energy_ratio, 1),
                point.steps_to_answer,
            )
        )
    found = front.eight_bit
    if found is not None:
        known = front.ann_accuracy is not None and found.accuracy is not None
        loss = front.ann_accuracy - found.accuracy if known else None  # type: ignore[operator]
        quality = (percent(found.agreement), percent(found.relative_error), percent(loss))
        rows.append(("", "8-bit network", "-", "-", *quality, "-", percent(found.energy_ratio, 1), "-"))
    names = ("agreement", "error", "points lost")
    columns = ("", "code, schedule", "T", "J", *names, "spikes/synapse", "energy *", "answer after")
    title = f"Accuracy against energy, on {front.samples} samples that ranges do not follow from"
    drop = ("answer after", "points lost", "spikes/synapse", "error", "J", "agreement")
    return table(title, columns, rows, left=2, drop=drop)


def work_table(work: WorkTotals, n_steps: int) -> Table:
    """What there is to compute for a sample, and what the energy assumes."""
    rows = [
        ("multiply-adds of the trained model", f"{work.multiply_adds:,}"),
        ("multiply-adds that stay analog", f"{work.analog:,}"),
    ]
    if work.executed is not None:
        rows.append((f"the same as executed, T = {n_steps}", f"{work.executed:,}"))
    rows.append((f"synaptic operations, T = {n_steps}", f"{work.synaptic_operations:,.0f}"))
    if work.spikes_per_synapse is not None:
        rows.append(("spikes per synapse", number(work.spikes_per_synapse)))
    rows.append(("energy, share of the trained model's *", percent(work.energy_ratio)))
    if work.energy_ratio_all is not None:
        rows.append(("with neurons and functions, of both", percent(work.energy_ratio_all)))
    if work.measured is not None:
        rows.append(("counted on", _samples_counted(work.measured, n_steps)))
    title = "Work per sample   (* 4.6 pJ a multiply-add, 0.9 pJ an addition, 45 nm, without memory)"
    return table(title, ("what", "how much"), rows)


def _samples_counted(measured: Measured, n_steps: int) -> str:
    seen = "held-out samples" if measured.held_out else "samples that calibration saw too: too few to hold any out"
    rate = "" if measured.steps == n_steps else f"; {measured.steps} steps, T at the same rate"
    return f"{measured.samples} {seen}{rate}"


def opponents_table(measured: Measured, eight_bit: EightBit, work: WorkTotals) -> Table:
    """The spiking model, the trained one and the 8-bit network on the same samples."""
    rows = [
        ("trained, float32", percent(measured.ann_accuracy), "-", "-", percent(1.0), percent(1.0)),
        (
            "8-bit, dense",
            percent(eight_bit.accuracy),
            percent(eight_bit.agreement),
            number(eight_bit.relative_error),
            percent(eight_bit.energy_ratio),
            percent(eight_bit.energy_ratio_all),
        ),
        (
            "8-bit, skipping zeros",
            percent(eight_bit.accuracy),
            percent(eight_bit.agreement),
            number(eight_bit.relative_error),
            percent(eight_bit.energy_ratio_skipping),
            percent(eight_bit.energy_ratio_all_skipping),
        ),
        (
            "spiking, float32",
            percent(measured.accuracy),
            percent(measured.agreement),
            number(measured.relative_error),
            percent(work.energy_ratio),
            percent(work.energy_ratio_all),
        ),
    ]
    if measured.stream is not None:
        following = measured.stream
        name = f"spiking, in a stream, {following.frames} frames"
        rows.append((name, "-", percent(following.agreement), number(following.relative_error), "-", "-"))
    columns = ("network", "accuracy", "agreement", "error", "energy *", "with functions")
    title = f"Beside the 8-bit network, on the same {measured.samples} samples"
    return table(title, columns, rows, drop=("with functions", "error", "accuracy"))


def memory_table(memory: MemoryTraffic) -> Table:
    """Bytes that move for a sample."""
    rows = [
        (name, dataflow, f"{bytes_moved:,.0f}", f"{picojoule:,.0f}")
        for name, dataflow, bytes_moved, picojoule in (
            ("trained, float32", "weight-stationary, 16 x 16", memory.trained, memory.energy_trained),
            ("8-bit, dense", "weight-stationary, 16 x 16", memory.eight_bit, memory.energy_eight_bit),
            ("spiking, float32", "event-driven", memory.spiking, memory.energy_spiking),
        )
    ]
    columns = ("network", "dataflow", "bytes", "pJ, SRAM")
    return table("Memory traffic per sample (docs/energy.md)", columns, rows, left=2, drop=("dataflow",))


def work_tables(work: WorkTotals, n_steps: int, *, memory: bool = False) -> list[Table]:
    """All about a sample's work, as far as a file says it."""
    tables = [work_table(work, n_steps)]
    if work.measured is not None and work.eight_bit is not None:
        tables.append(opponents_table(work.measured, work.eight_bit, work))
    if memory and work.memory is not None:
        tables.append(memory_table(work.memory))
    return tables


def conversion_tables(conversion: Conversion, *, memory: bool = False) -> list[Table]:
    """What was done to a model; with `memory` also what moves."""
    title = f"{conversion.ann.path.name}: layers of spiking neurons; errors after {conversion.compared_steps} steps"
    tables = [layers_table(title, conversion.layers)]
    if conversion.islands:
        tables.append(islands_table(conversion.islands))
    if conversion.kept_analog:
        tables.append(kept_analog_table(conversion.kept_analog))
    if conversion.trials:
        tables.append(trials_table(conversion))
    if conversion.front:
        tables.append(front_table(conversion.front))
    return [*tables, *work_tables(conversion.totals(), conversion.options.n_steps, memory=memory)]


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


def stream_table(title: str, evaluation: StreamEvaluation) -> Table:
    """A row for the trained model, the first frame, those after it, and all."""
    rows: list[tuple[object, ...]] = []
    if evaluation.ann_accuracy is not None:
        rows.append(("trained model", "", percent(evaluation.ann_accuracy), "", "", "", percent(1.0)))
    rows += [
        (
            name,
            part.frames,
            percent(part.accuracy),
            percent(part.agreement),
            number(part.spike_rate),
            "-" if part.synaptic_operations is None else f"{part.synaptic_operations:,.0f}",
            percent(part.energy_ratio),
        )
        for name, part in evaluation.parts.items()
    ]
    columns = (
        "frames",
        "how many",
        "accuracy",
        "agreement",
        "spikes/neuron and step",
        "synaptic operations/frame",
        "energy",
    )
    return table(title, columns, rows, drop=("how many", "synaptic operations/frame", "spikes/neuron and step"))


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
