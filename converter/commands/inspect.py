"""onnx-snn inspect"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from converter.activations.sites import KeptAnalog, find_sites
from converter.commands.arguments import Json, MemoryTables, Trust, Verbose
from converter.conversion.result import Front, Layer
from converter.io.files import check_writable
from converter.io.onnx_files import holds_operators, read_proto
from converter.measure.totals import WorkTotals
from converter.normalise.ann import Ann, load_ann
from converter.normalise.frameworks import framework_of
from converter.normalise.proof import trace
from converter.report.console import messages, print_passes, results
from converter.report.console import table as make_table
from converter.report.json_file import write_json
from converter.report.tables import front_table, islands_table, kept_analog_table, layers_table, work_tables
from converter.spiking.islands import Island
from converter.spiking.model import SpikingModel, StreamAnswer
from snn_ops.format import PREFIX, FormatError, Metadata, known

T = TypeVar("T")
_JSON_FIELDS = ("options", "work", "front", "layers", "islands", "kept_analog")
"""Fields of the metadata that have an entry of their own in the JSON, and tables instead of a row."""


def inspect_command(
    model: Annotated[Path, typer.Argument(help="a spiking or a trained model", show_default=False)],
    memory_traffic: MemoryTables = False,
    verbose: Verbose = False,
    trust: Trust = False,
    json: Json = None,
) -> None:
    """Show a model's layers, neurons, thresholds and islands; for a trained model, what a conversion would replace."""
    check_writable(json)
    proto = read_proto(model) if framework_of(model) is None else None
    if proto is not None and holds_operators(proto):
        _inspect_spiking(SpikingModel(model, proto), json, memory_traffic=memory_traffic)
    else:
        _inspect_trained(load_ann(model, trust=trust), json, verbose=verbose)


class _Reader:
    """Reads fields of the metadata. A damaged one is remembered, and read as its default."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata, self.damaged = metadata, metadata.damaged()

    def read(self, name: str, field: Callable[[Metadata], T]) -> T:
        """What `field` makes of the metadata.

        Args:
            name: the name of the field in `Metadata`.
            field: reads it, and raises FormatError where it is damaged.
        """
        try:
            return field(self.metadata)
        except FormatError as error:
            self.damaged.setdefault(name, str(error))
            return field(self.metadata.without(name))


def _inspect_spiking(spiking: SpikingModel, json: Path | None, *, memory_traffic: bool) -> None:
    reader = _Reader(spiking.metadata)
    layers = reader.read("layers", lambda m: [known(Layer, layer, "layers") for layer in m.layers])
    islands = reader.read("islands", lambda m: [known(Island, island, "islands") for island in m.islands])
    kept = reader.read("kept_analog", lambda m: [known(KeptAnalog, node, "kept_analog") for node in m.kept_analog])
    work = reader.read("work", lambda m: known(WorkTotals, m.work, "work") if m.work else None)
    front = reader.read("front", lambda m: known(Front, m.front, "front") if m.front else None)
    properties = {entry.key.removeprefix(PREFIX): entry.value for entry in spiking.proto.metadata_props}
    properties |= spiking.metadata.texts()
    for name in _JSON_FIELDS:
        properties.pop(name, None)
    answer: StreamAnswer | None = None
    with suppress(FormatError):  # which key is damaged, the reader knows
        answer = StreamAnswer.of(spiking.metadata)
    if json:
        data: dict[str, Any] = {
            "model": str(spiking.path),
            "spiking": True,
            **properties,
            "stream": None if answer is None else asdict(answer),
            "options": dict(reader.read("options", lambda m: m.options)),
            "work": asdict(work) if work else {},
            "front": asdict(front) if front else None,
            "layers": [asdict(layer) for layer in layers],
            "islands": [asdict(island) for island in islands],
            "kept_analog": [asdict(activation) for activation in kept],
        }
        write_json(data | ({"damaged": reader.damaged} if reader.damaged else {}), json)
    if str(json) != "-":
        rows = [*properties.items(), *([] if answer is None else [("a stream answers", str(answer))])]
        results().print(make_table(str(spiking.path), ("property", "value"), rows, left=2))
        results().print(layers_table("Layers of spiking neurons", layers))
        if islands:
            results().print(islands_table(islands))
        if kept:
            results().print(kept_analog_table(kept))
        if front:
            results().print(front_table(front))
        if work and "n_steps" not in reader.damaged:
            for work_table in work_tables(work, spiking.n_steps, memory=memory_traffic):
                results().print(work_table)
            verdict = work.verdict()
            if verdict:
                results().print(f"note: {verdict}", soft_wrap=True)
    for message in reader.damaged.values():
        messages().print(f"damaged: {message}", soft_wrap=True)


def _inspect_trained(ann: Ann, json: Path | None, *, verbose: bool) -> None:
    trained = trace(ann)
    sites, kept = find_sites(trained.model, trained.axes)
    rows = [(site.name, site.activation.name, ", ".join(site.activation.neurons)) for site in sites]
    data = {
        "model": str(ann.path),
        "spiking": False,
        "batch": ann.batch,
        "unproven": trained.axes.unproven,
        "activations": [{"node": node, "activation": name, "neurons": neurons} for node, name, neurons in rows],
        "kept_analog": [asdict(activation) for activation in kept],
    }
    if json:
        passes = {"passes": [asdict(report) for report in trained.reports]} if verbose else {}
        write_json(data | passes, json)
    if str(json) != "-":
        title = f"{ann.path}: a trained model; activations that neurons can replace"
        results().print(make_table(title, ("node", "activation", "neurons (default first)"), rows, left=3))
        if kept:
            results().print(kept_analog_table(kept))
    if verbose:
        print_passes(trained.reports)
