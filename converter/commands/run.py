"""onnx-snn run"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from converter.commands.arguments import (
    Backend,
    Libraries,
    Preprocess,
    Provider,
    ProviderOptions,
    SpikingFile,
    Steps,
    Threads,
    parse_provider_options,
)
from converter.commands.loading import load
from converter.errors import RefusedError, concerning
from converter.graph.run import ONNX_RUNTIME_ERRORS, Feed, brief
from converter.io.files import check_writable, read_npz, write_npz
from converter.io.shards import HELP
from converter.options import check_steps
from converter.report.console import messages, progress, results
from converter.report.console import table as make_table
from converter.spiking.model import SpikingModel
from snn_ops import Recording, RecordingError, Session
from snn_ops.files import Blocks


def run_command(
    model: SpikingFile,
    input: Annotated[str, typer.Option("--input", metavar="DATA", help=HELP, show_default=False)],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="the outputs, .npz with an array per output")] = None,
    steps: Steps = None,
    preprocess: Preprocess = None,
    backend: Backend = "native",
    provider: Provider = "cpu",
    provider_option: ProviderOptions = None,
    threads: Threads = None,
    library: Libraries = None,
    state_in: Annotated[
        Path | None, typer.Option(help="go on from this state of a model made with --streaming, .npz")
    ] = None,
    state_out: Annotated[Path | None, typer.Option(help="keep the state after the last step, .npz")] = None,
    record: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER",
            help="write the spikes of this layer at every step, [T, samples, ...], beside the outputs; LAYER.voltage: its "
            "membrane potential after every step; repeatable",
        ),
    ] = None,
) -> None:
    """Run a spiking model on samples."""
    provider_options = parse_provider_options(provider_option)
    if steps is not None:
        check_steps(steps)
    if record and out is None:
        raise typer.BadParameter("name the file for the spikes with -o", param_hint="--record")
    check_writable(out, state_out)
    spiking = SpikingModel(model, libraries=library or ())
    samples = load(input, spiking, preprocess=preprocess)
    session = spiking.session(
        n_steps=steps, backend=backend, provider=provider, provider_options=provider_options, threads=threads
    )
    run = partial(_continue, state_in, state_out) if state_in or state_out else _run
    with _refused_of(model):
        arrays, recording = run(session, model, samples.feed, record, out)
    arrays = [array.astype(str) if array.dtype == object else array for array in arrays]  # names of classes
    outputs = dict(zip(session.output_names, arrays, strict=True))
    if out:
        contents = {**outputs, **_contents(recording, outputs)}
        write_npz(out, contents)
        messages().print(
            f"wrote {out}: " + ", ".join(f"{name} {list(array.shape)}" for name, array in contents.items())
        )
        return
    name, first = next(iter(outputs.items()))
    rows = [(index, *_head(row)) for index, row in enumerate(first.reshape(len(first), -1)[:20])]
    title = f"{name} {list(first.shape)}, first samples"
    shown = make_table(title, ("sample", "largest", "values"), rows, left=0, drop=())
    shown.columns[-1].justify = "left"  # a list of numbers, which may be folded
    results().print(shown)
    messages().print("Name a file with -o to keep all outputs.")


Found = tuple[list[np.ndarray], Recording | None]
"""The outputs, and what was recorded."""


def _run(session: Session, model: Path, feed: Feed, record: list[str] | None, out: Path | None) -> Found:
    """Runs all samples, in batches."""
    with progress() as advance, concerning(model):

        def show(done: int, of: int) -> None:
            advance("running", done, of)

        if record and out:
            return session.run(feed, progress=show, record=record, record_in=out.parent)
        return session.run(feed, progress=show), None


def _continue(
    state_in: Path | None,
    state_out: Path | None,
    session: Session,
    model: Path,
    feed: Feed,
    record: list[str] | None,
    out: Path | None,
) -> Found:
    """Runs all samples as one stream."""
    try:
        stream = session.stream()
    except ValueError as error:
        raise RefusedError(str(error), file=model) from error
    saved = read_npz(state_in, "write one with --state-out") if state_in else {}
    try:
        stream.restore(saved)
        if record and out:
            arrays, recording = stream.run(feed, record=record, record_in=out.parent)
        else:
            arrays, recording = stream.run(feed), None
    except RecordingError:
        raise
    except ValueError as error:
        raise RefusedError(str(error), file=state_in) from error
    if state_out:
        write_npz(state_out, stream.save())
        messages().print(f"wrote {state_out}", soft_wrap=True)
    return arrays, recording


@contextmanager
def _refused_of(model: Path) -> Iterator[None]:
    """What cannot be run or recorded is refused."""
    try:
        yield
    except RecordingError as error:
        raise RefusedError(str(error), file=model) from error
    except ONNX_RUNTIME_ERRORS as error:
        raise RefusedError(f"ONNX Runtime cannot run it: {brief(error)}", file=model) from error


def _contents(recording: Recording | None, outputs: Collection[str]) -> dict[str, Blocks | np.ndarray]:
    """Arrays for the file: what was recorded by its name, and the height of a spike as NAME.height."""
    contents: dict[str, Blocks | np.ndarray] = {}
    for name in recording or ():
        assert recording is not None
        key = f"{name}_recorded" if name in outputs else name
        contents[key] = recording.blocks(name)
        if name in recording.heights:
            contents[f"{key}.height"] = recording.heights[name]
    return contents


def _head(row: np.ndarray) -> tuple[object, object]:
    is_number = row.dtype.kind in "fiu"
    values = " ".join(f"{value:.4g}" if is_number else str(value) for value in row[:10])
    return int(row.argmax()) if is_number else "", values + (" ..." if len(row) > 10 else "")
