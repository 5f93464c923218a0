"""onnx-snn train"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx_ir as ir
import typer

from converter.commands.arguments import Data, Json, Preprocess, SpikingFile
from converter.commands.loading import load
from converter.conversion.recalibrate import recalibrated
from converter.errors import concerning
from converter.io.files import check_writable
from converter.io.optional import import_optional
from converter.io.samples import Samples
from converter.report.console import messages, number, percent, progress, results, table
from converter.report.json_file import write_json
from converter.spiking.model import SpikingModel
from converter.spiking.without_neurons import has_delta_code


def train_command(
    model: SpikingFile,
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="the trained model", show_default=False)],
    validation: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="samples for validation [default: a tenth of the data, at random]"),
    ] = None,
    preprocess: Preprocess = None,
    epochs: Annotated[int, typer.Option(help="epochs at most")] = 5,
    batch: Annotated[int, typer.Option(help="samples per step of the optimiser, Adam")] = 100,
    learning_rate: Annotated[float, typer.Option(help="of Adam")] = 1e-3,
    smoothing: Annotated[float, typer.Option(help="LIF is trained as SoftLIFRate of this width; 0: as LIFRate")] = 0.1,
    patience: Annotated[
        int | None, typer.Option(help="stop after so many epochs without a better validation accuracy [default: never]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="time steps of the validation [default: those the model was made for]")
    ] = None,
    seed: Annotated[int, typer.Option(help="of the order of the samples")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option(help="kept after each epoch, continued from if present [default: OUT.checkpoint.npz]")
    ] = None,
    json: Json = None,
) -> None:
    """Train a spiking model in NengoDL and write it with the weights of its best epoch. Continues after an interruption."""
    training = import_optional("converter.nengo.dl.training", "nengo")
    options = training.TrainingOptions(epochs, batch, learning_rate, smoothing, patience, steps, seed)
    checkpoint = checkpoint or out.with_name(f"{out.name}.checkpoint.npz")
    check_writable(out, checkpoint, json)
    spiking = SpikingModel(model)
    samples = load(data, spiking, preprocess=preprocess)
    if validation:
        held_out = load(validation, spiking, preprocess=preprocess)
    else:
        samples, held_out = _split(samples, seed)
    with concerning(model):
        classes = training.class_count(spiking.proto)
    with concerning(data):
        training.check_labelled(samples, classes, batch)
    with concerning(validation or data):
        training.check_labelled(held_out, classes)
    is_delta = has_delta_code(ir.from_proto(spiking.proto))
    calibrate = partial(recalibrated, samples=samples) if is_delta else training.as_it_is
    with progress() as advance, concerning(model):
        result = training.train(
            spiking.proto, samples, held_out, options, calibrate=calibrate, checkpoint=checkpoint, progress=advance
        )
    spiking.save(result.model, out)
    checkpoint.unlink(missing_ok=True)
    if json:
        write_json({"model": str(out), **result.summary()}, json)
    if str(json) != "-":
        rows = [(i + 1, number(e.loss), percent(e.validation_accuracy)) for i, e in enumerate(result.epochs)]
        results().print(table(f"{model.name}: training", ("epoch", "loss", "validation accuracy"), rows, left=0))
    if result.resumed_at:
        messages().print(f"continued from {checkpoint} after epoch {result.resumed_at}")
    for note in result.notes:
        messages().print(f"note: {note}")
    if is_delta:
        messages().print(
            "note: thresholds, resting values and finest exponents follow from the samples and the new weights"
        )
    messages().print(f"wrote {out} with the weights of epoch {result.best + 1}", soft_wrap=True)


def _split(samples: Samples, seed: int) -> tuple[Samples, Samples]:
    """Nine tenths and one tenth, the same ones for the same seed."""
    order = np.random.default_rng(seed).permutation(len(samples))
    held_out = max(1, len(samples) // 10)
    return samples.take(order[held_out:]), samples.take(order[:held_out])
