"""onnx-snn import-weights"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from converter.commands.arguments import SpikingFile
from converter.errors import concerning
from converter.io.files import check_writable, read_npz
from converter.io.onnx_files import write_model
from converter.io.weights import import_weights, weights_of
from converter.report.console import messages
from converter.spiking.model import SpikingModel


def import_weights_command(
    weights: Annotated[Path, typer.Argument(help="weights by name, .npz", show_default=False)],
    model: SpikingFile,
    out: Annotated[Path, typer.Option("-o", "--out", help="the model with these weights")],
) -> None:
    """Put weights, such as trained ones, into a spiking model; names and shapes are checked."""
    check_writable(out)
    proto = SpikingModel(model).proto
    arrays = read_npz(weights, "write one with `onnx-snn export npz`")
    with concerning(weights):
        changed = import_weights(proto, arrays)
    write_model(changed, out)
    messages().print(f"wrote {out}: {len(arrays)} of {len(weights_of(proto))} arrays replaced")
