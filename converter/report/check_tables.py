"""The tables of `onnx-snn check`."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from converter.conversion.check import Check, CheckedLayer
from converter.report.console import percent, table
from converter.report.tables import kept_analog_table


def check_tables(found: Check) -> list[Table]:
    """The verdict, what becomes of each layer, and with the rate code which neurons stand where."""
    tables = [_verdict(found), _layers_table(found)]
    if not found.options.is_delta:
        rows = [(each.name, each.activation, each.neuron) for each in found.neurons]
        tables.append(table("Neurons", ("node", "activation", "neuron"), rows, left=3))
    if found.kept_analog:
        tables.append(kept_analog_table(found.kept_analog))
    return tables


def folder_tables(folder: str, found: Mapping[str, Check | str]) -> list[Table]:
    """A row for each model; a text says why one is refused, in a table of its own."""
    refused = [(name, result) for name, result in found.items() if isinstance(result, str)]
    title = f"{folder}: {len(found) - len(refused)} of {len(found)} models convert"
    columns = ("model", "converts", "spikes", "energy, about", "multiply-adds", "layers")
    rows = [(name, *_row(result)) for name, result in found.items()]
    models = table(title, columns, rows, left=2, drop=("layers", "multiply-adds"))
    return [models, *([table("Refused", ("model", "why, and what to do"), refused, left=2)] if refused else [])]


def _row(result: Check | str) -> tuple[object, ...]:
    if isinstance(result, str):
        return "no", "-", "-", "-", "-"
    spikes = percent(result.spiking_share, 1)
    return "yes", spikes, _energy(result), f"{result.multiply_adds:,}", len(result.layers)


def _verdict(found: Check) -> Table:
    options = found.options
    spiking = sum(layer.becomes == "spikes" for layer in found.layers)
    energy = _energy(found)
    rows = [
        ("multiply-adds that will spike", f"{percent(found.spiking_share, 1)} of {found.multiply_adds:,}"),
        ("layers with weights that will spike", f"{spiking} of {len(found.layers)}"),
        ("energy, share of the trained model's *", f"about {energy}" if energy != "-" else "convert measures it"),
        *([("the same network in 8-bit integers *", percent(found.estimate.eight_bit, 1))] if found.estimate else []),
        ("a sample", "; ".join(_input(found, index) for index in range(len(found.ann.inputs)))),
    ]
    if found.functions:
        what = "between the layers, as they are" if options.is_delta else "computed as numbers, in every step"
        rows.append((what, ", ".join(f"{count} {name}" for name, count in found.functions.items())))
    title = f"{found.ann.path.name} will convert: {options.code} code, {options.schedule}"
    if found.estimate is not None:
        title += f"   (* the middle half of {found.estimate.models} models that were measured)"
    return table(title, ("what", "how much"), rows, left=2)


def _energy(found: Check) -> str:
    return "-" if found.estimate is None else f"{100 * found.estimate.low:.0f} - {100 * found.estimate.high:.0f} %"


def _input(found: Check, index: int) -> str:
    spec = found.ann.input_specs[index]
    lengths = found.assumed.get(spec.name, spec.shape[1:])
    shape = " x ".join(str(length) for length in lengths if length is not None) or "one number"
    return f"{spec.name}: {shape}, {spec.dtype}"


def _layers_table(found: Check) -> Table:
    def becomes(layer: CheckedLayer) -> str:
        return ", ".join(layer.neurons) if layer.becomes == "spikes" else layer.reason

    rows = [
        (layer.name, layer.operator, layer.becomes, becomes(layer), percent(layer.share, 1), f"{layer.multiply_adds:,}")
        for layer in found.layers
    ]
    columns = ("layer", "operator", "becomes", "by, or why not", "share", "multiply-adds")
    return table("Layers with weights", columns, rows, left=4, drop=("multiply-adds", "by, or why not", "operator"))
