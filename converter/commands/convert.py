"""onnx-snn convert"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from converter.commands.arguments import Data, EngineName, Json, MemoryTables, Preprocess, RayAddress, Trust, Verbose
from converter.commands.engines import chosen_engine
from converter.commands.loading import preprocessing, say_doubts
from converter.commands.options import takes_conversion_options
from converter.conversion.main import convert
from converter.io.files import check_writable
from converter.io.samples import load_samples, peek_shape
from converter.normalise.ann import load_ann
from converter.options import Options
from converter.report.console import messages, print_passes, progress, results
from converter.report.html import write_html
from converter.report.json_file import write_json
from converter.report.tables import conversion_tables


@takes_conversion_options
def convert_command(
    model: Annotated[
        Path,
        typer.Argument(
            help="the trained model: ONNX, or .keras, .h5, a SavedModel, .pt2, TorchScript", show_default=False
        ),
    ],
    calibration: Data,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="the spiking model [default: MODEL.snn.onnx beside MODEL]")
    ] = None,
    *,
    options: Options,
    preprocess: Preprocess = None,
    engine: EngineName = "local",
    ray_address: RayAddress = None,
    report: Annotated[Path | None, typer.Option(help="write what was done as a page to read, HTML")] = None,
    trust: Trust = False,
    memory_traffic: MemoryTables = False,
    verbose: Verbose = False,
    json: Json = None,
) -> None:
    """Turn a trained ONNX model into a spiking one, one file that any ONNX Runtime runs."""
    stem = model.name if model.is_dir() else model.stem
    out = out or model.with_name(f"{stem}.snn.onnx")
    check_writable(out, report, json)
    prepared = preprocessing(preprocess)
    ann = load_ann(model, sample_shape=peek_shape(calibration, prepared), trust=trust)
    samples = load_samples(calibration, ann.input_specs, preprocess=prepared)
    say_doubts(samples, None, ann)
    where = None if engine == "local" else chosen_engine(engine, ray_address)
    with progress() as advance:
        conversion = convert(ann, samples, options=options, progress=advance, engine=where, traces=report is not None)
    conversion.save(out)
    if json:
        passes = {"passes": [asdict(report) for report in conversion.reports]} if verbose else {}
        write_json({"model": str(out), **conversion.summary(), **passes}, json)
    if report:
        write_html(conversion, report, memory=memory_traffic)
    if str(json) != "-":
        for table in conversion_tables(conversion, memory=memory_traffic):
            results().print(table)
    if verbose:
        print_passes(conversion.reports)
    for note in conversion.notes:
        messages().print(f"note: {note}")
    messages().print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)", soft_wrap=True)
