"""onnx-snn import-weights"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import onnx_ir as ir
import typer

from converter.commands.arguments import Preprocess, SpikingFile
from converter.commands.loading import load
from converter.conversion.recalibrate import recalibrated
from converter.errors import RefusedError, concerning
from converter.io.files import check_writable, read_npz
from converter.io.weights import import_weights, thresholds_of, weights_of
from converter.report.console import messages, progress
from converter.spiking.model import SpikingModel
from converter.spiking.without_neurons import has_delta_code


def import_weights_command(
    weights: Annotated[Path, typer.Argument(help="weights by name, .npz", show_default=False)],
    model: SpikingFile,
    out: Annotated[Path, typer.Option("-o", "--out", help="the model with these weights")],
    calibration: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="delta code: samples that thresholds follow from [default: thresholds stay]"),
    ] = None,
    preprocess: Preprocess = None,
) -> None:
    """Put weights, such as trained ones, into a spiking model; names and shapes are checked. Thresholds stay, unless given.

    Initial states, such as voltages, may have a value for each neuron.
    """
    check_writable(out)
    spiking = SpikingModel(model)
    proto, is_delta = spiking.proto, has_delta_code(ir.from_proto(spiking.proto))
    if calibration and not is_delta:
        raise RefusedError(
            "only the delta code is calibrated here; convert the trained network with these weights", file=model
        )
    samples = load(calibration, spiking, preprocess=preprocess) if calibration else None
    arrays = read_npz(weights, "write one with `onnx-snn export npz`")
    with concerning(weights):
        changed = import_weights(proto, arrays)
    if samples is not None:
        with progress() as advance, concerning(model):
            changed = recalibrated(changed, samples, advance)
    spiking.save(changed, out)
    if is_delta and samples is None and not arrays.keys() & thresholds_of(proto):
        messages().print(
            "note: thresholds stay; they fit the old weights' values. --calibration SAMPLES fits them anew"
        )
    messages().print(f"wrote {out}: {len(arrays)} of {len(weights_of(proto))} arrays replaced", soft_wrap=True)
