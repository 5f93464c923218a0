"""onnx-snn run"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from converter.commands.arguments import (
    Backend,
    Provider,
    ProviderOptions,
    SpikingFile,
    Steps,
    Threads,
    parse_provider_options,
)
from converter.errors import RefusedError, concerning
from converter.graph.run import Feed
from converter.io.files import check_writable, read_npz, write_npz
from converter.io.samples import load_samples
from converter.options import check_steps
from converter.report.console import messages, progress, results
from converter.report.console import table as make_table
from converter.spiking.model import SpikingModel
from snn_ops import Session


def run_command(
    model: SpikingFile,
    input: Annotated[Path, typer.Option("--input", help="samples: .npz with `x` [samples, ...]", show_default=False)],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="the outputs, .npz with an array per output")] = None,
    steps: Steps = None,
    backend: Backend = "native",
    provider: Provider = "cpu",
    provider_option: ProviderOptions = None,
    threads: Threads = None,
    state_in: Annotated[
        Path | None, typer.Option(help="go on from this state of a model made with --streaming, .npz")
    ] = None,
    state_out: Annotated[Path | None, typer.Option(help="keep the state after the last step, .npz")] = None,
) -> None:
    """Run a spiking model on samples."""
    provider_options = parse_provider_options(provider_option)
    if steps is not None:
        check_steps(steps)
    check_writable(out, state_out)
    spiking = SpikingModel(model)
    samples = load_samples(input, spiking.inputs)
    session = spiking.session(
        n_steps=steps, backend=backend, provider=provider, provider_options=provider_options, threads=threads
    )
    if state_in or state_out:
        arrays = _continue(session, model, samples.feed, state_in, state_out)
    else:
        with progress() as advance, concerning(model):
            arrays = session.run(samples.feed, progress=lambda done, of: advance("running", done, of))
    arrays = [array.astype(str) if array.dtype == object else array for array in arrays]  # names of classes
    outputs = dict(zip(session.output_names, arrays, strict=True))
    if out:
        write_npz(out, outputs)
        messages().print(f"wrote {out}: " + ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items()))
        return
    name, first = next(iter(outputs.items()))
    rows = [(index, *_head(row)) for index, row in enumerate(first.reshape(len(first), -1)[:20])]
    results().print(
        make_table(f"{name} {list(first.shape)}, first samples", ("sample", "largest", "values"), rows, left=0)
    )
    messages().print("Name a file with -o to keep all outputs.")


def _continue(
    session: Session, model: Path, feed: Feed, state_in: Path | None, state_out: Path | None
) -> list[np.ndarray]:
    """Runs all samples as one stream."""
    try:
        stream = session.stream()
    except ValueError as error:
        raise RefusedError(str(error), file=model) from error
    saved = read_npz(state_in, "write one with --state-out") if state_in else {}
    try:
        stream.restore(saved)
        arrays = stream.run(feed)
    except ValueError as error:
        raise RefusedError(str(error), file=state_in) from error
    if state_out:
        write_npz(state_out, stream.save())
        messages().print(f"wrote {state_out}")
    return arrays


def _head(row: np.ndarray) -> tuple[object, object]:
    is_number = row.dtype.kind in "fiu"
    values = " ".join(f"{value:.4g}" if is_number else str(value) for value in row[:10])
    return int(row.argmax()) if is_number else "", values + (" ..." if len(row) > 10 else "")
