"""onnx-snn predict"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from converter.commands.arguments import (
    Backend,
    Data,
    EngineName,
    FirstSamples,
    Json,
    Libraries,
    Preprocess,
    Provider,
    ProviderOptions,
    RayAddress,
    SpikingFile,
    Steps,
    Threads,
    parse_provider_options,
)
from converter.commands.engines import chosen_engine
from converter.commands.loading import preprocessing, say_doubts
from converter.errors import RefusedError, concerning
from converter.io.files import check_writable
from converter.io.optional import import_optional
from converter.io.progress import Progress
from converter.io.samples import Samples
from converter.io.shards import find
from converter.normalise.ann import Ann, load_ann
from converter.options import check_steps
from converter.report.console import messages, number, percent, progress, results
from converter.report.json_file import write_json
from converter.spiking.model import SpikingModel
from snn_ops.format import FormatError

LOG_EVERY = 30.0
"""Seconds between two lines of progress where standard error is no terminal."""
SHOWN = 5
"""Samples and shards that are named; the manifest has all."""


def predict_command(
    model: SpikingFile,
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="folder for the predictions; one that was begun is gone on with", show_default=False
        ),
    ],
    steps: Steps = None,
    samples: FirstSamples = None,
    preprocess: Preprocess = None,
    engine: EngineName = "local",
    ray_address: RayAddress = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="stop at the first sample or shard that cannot be predicted")
    ] = False,
    spikes: Annotated[bool, typer.Option(help="count the spikes of each sample; without it a run is faster")] = True,
    backend: Backend = "native",
    provider: Provider = "cpu",
    provider_option: ProviderOptions = None,
    threads: Threads = None,
    library: Libraries = None,
    json: Json = None,
) -> None:
    """Predict data of any size into a folder of Parquet files: every sample once, whatever interrupts it."""
    provider_options = parse_provider_options(provider_option)
    if steps is not None:
        check_steps(steps)
    check_writable(json)
    serving = import_optional("converter.serving.predict", "scale")
    spiking = SpikingModel(model, libraries=library or ())
    found = find(data).first(samples)
    if engine == "ray" and found.is_stream:
        raise RefusedError(
            "a Python function yields batches in one process; write shards, or take --engine local", file=data
        )
    chosen = preprocessing(preprocess, spiking)
    where = chosen_engine(engine, ray_address, threads=threads, provider=provider)
    with _progress() as advance, concerning(model):
        predictions = serving.predict(
            spiking,
            found,
            out,
            engine=where,
            n_steps=steps,
            preprocess=chosen,
            strict=strict,
            spikes=spikes,
            look=lambda few: _look(few, spiking),
            progress=advance,
            in_process=engine == "local",
            backend=backend,
            provider=provider,
            provider_options=provider_options,
            threads=threads or (1 if engine == "ray" else None),
        )
    if json:
        write_json({"model": str(model), "data": data, **predictions.summary()}, json)
    if str(json) != "-":
        _print(predictions)


def _look(samples: Samples, spiking: SpikingModel) -> None:
    """Says what looks like a mistake before minutes are spent."""
    ann: Ann | None = None
    with suppress(RefusedError, FormatError):
        source = spiking.source() if samples.labels is not None else None
        ann = load_ann(source) if source else None
    with suppress(FormatError):
        say_doubts(samples, spiking, ann)


def _print(predictions: Any) -> None:
    summary = predictions.summary()
    rate = predictions.done_now / predictions.seconds if predictions.seconds else 0.0
    words = [f"{predictions.folder}: {predictions.samples:,} samples"]
    if predictions.done_now != predictions.samples:
        words.append(f"{predictions.done_now:,} of them now")
    if predictions.done_now:
        words.append(f"{number(rate)} samples/s")
    if summary["spikes_per_sample"]:
        words.append(f"{number(summary['spikes_per_sample'])} spikes a sample")
    if summary["accuracy"] is not None:
        words.append(f"accuracy {percent(summary['accuracy'])}")
    results().print(", ".join(words), soft_wrap=True)
    wrong = [*predictions.unreadable.items(), *predictions.odd]
    for name, reason in wrong[:SHOWN]:
        messages().print(f"not predicted: {name}: {reason}", soft_wrap=True)
    if len(wrong) > SHOWN:
        messages().print(
            f"not predicted: {len(wrong) - SHOWN} more, see {predictions.folder / '_manifest.json'}", soft_wrap=True
        )


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar with samples per second and the time left; where standard error is no terminal, a line now and then."""
    begun = last = time.monotonic()
    first: int | None = None
    with progress(rate=True) as bar:

        def advance(what: str, done: int, of: int) -> None:
            nonlocal last, first
            bar(what, done, of)
            first = done if first is None else first
            now = time.monotonic()
            if now - last > LOG_EVERY and not messages().is_terminal and done > first:
                last = now
                rate = (done - first) / (now - begun)
                left = f", {(of - done) / rate:,.0f} s left" if of > done else ""
                messages().print(f"{done:,} of {of:,} samples, {number(rate)} samples/s{left}", soft_wrap=True)

        yield advance
