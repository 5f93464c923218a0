"""onnx-snn inspect"""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from converter.activations.sites import KeptAnalog, find_sites
from converter.conversion.result import Layer
from converter.io.files import check_writable
from converter.io.onnx_files import read_proto
from converter.normalise.ann import Ann, load_ann
from converter.normalise.proof import trace
from converter.report.console import results
from converter.report.console import table as make_table
from converter.report.json_file import write_json
from converter.report.tables import islands_table, kept_analog_table, layers_table, work_table
from converter.spiking.islands import Island
from converter.spiking.model import SpikingModel
from snn_ops.format import DOMAIN


def inspect_command(
    model: Annotated[Path, typer.Argument(help="a spiking or a trained model", show_default=False)],
    json: Annotated[Path | None, typer.Option(help="write the same as JSON; - is standard output")] = None,
) -> None:
    """Show a model's layers, neurons, thresholds and islands; for a trained model, what a conversion would replace."""
    check_writable(json)
    proto = read_proto(model)
    if any(opset.domain == DOMAIN for opset in proto.opset_import):
        _inspect_spiking(SpikingModel(model), json)
    else:
        _inspect_trained(load_ann(model), json)


def _inspect_spiking(spiking: SpikingModel, json: Path | None) -> None:
    metadata = spiking.metadata.texts()
    layers = [Layer(**layer) for layer in json_module.loads(metadata.pop("layers", "[]"))]
    islands = [Island(**island) for island in json_module.loads(metadata.pop("islands", "[]"))]
    kept = [KeptAnalog(**activation) for activation in json_module.loads(metadata.pop("kept_analog", "[]"))]
    options = json_module.loads(metadata.pop("options", "{}"))
    work = json_module.loads(metadata.pop("work", "{}"))
    data: dict[str, Any] = {
        "model": str(spiking.path),
        "spiking": True,
        **metadata,
        "options": options,
        "work": work,
        "layers": [vars(layer) for layer in layers],
        "islands": [vars(island) for island in islands],
        "kept_analog": [vars(activation) for activation in kept],
    }
    if json:
        write_json(data, json)
    if str(json) == "-":
        return
    results().print(make_table(str(spiking.path), ("property", "value"), list(metadata.items()), left=2))
    results().print(layers_table("Layers of spiking neurons", layers))
    if islands:
        results().print(islands_table(islands))
    if kept:
        results().print(kept_analog_table(kept))
    if work:
        results().print(work_table(work, spiking.n_steps))


def _inspect_trained(ann: Ann, json: Path | None) -> None:
    trained = trace(ann)
    sites, kept = find_sites(trained.model, trained.axes)
    rows = [(site.name, site.activation.name, ", ".join(site.activation.neurons)) for site in sites]
    data = {
        "model": str(ann.path),
        "spiking": False,
        "batch": ann.batch,
        "unproven": trained.axes.unproven,
        "activations": [{"node": name, "activation": kind, "neurons": neurons} for name, kind, neurons in rows],
        "kept_analog": [vars(activation) for activation in kept],
    }
    if json:
        write_json(data, json)
    if str(json) != "-":
        title = f"{ann.path}: a trained model; activations that neurons can replace"
        results().print(make_table(title, ("node", "activation", "neurons (default first)"), rows, left=3))
        if kept:
            results().print(kept_analog_table(kept))
