"""onnx-snn convert"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from converter.commands.arguments import Data, EngineName, Json, MemoryTables, Preprocess, RayAddress, Trust, Verbose
from converter.commands.engines import chosen_engine
from converter.commands.loading import preprocessing, say_doubts
from converter.conversion.main import convert
from converter.io.files import check_writable
from converter.io.samples import load_samples, peek_shape
from converter.normalise.ann import load_ann
from converter.options import (
    AUTO,
    CODE_CHOICES,
    CORRECTION_CHOICES,
    EXPONENT,
    METHOD_CHOICES,
    NEURON_CHOICES,
    OUTPUTS,
    RATE_STEPS,
    SCHEDULE_CHOICES,
    Options,
    load_layers,
)
from converter.report.console import messages, print_passes, progress, results
from converter.report.html import write_html
from converter.report.json_file import write_json
from converter.report.tables import conversion_tables
from snn_ops.format import READOUTS

_DEFAULTS = Options()


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
    code: Annotated[
        str,
        typer.Option(help=f"how spikes carry a value, as their mean or as its changes: {', '.join(CODE_CHOICES)}"),
    ] = _DEFAULTS.code,
    neuron: Annotated[
        str, typer.Option(help=f"neuron of the rate code: {', '.join(NEURON_CHOICES)}")
    ] = _DEFAULTS.neuron,
    min_agreement: Annotated[
        float | None,
        typer.Option(help="budget: % of held-out samples with the trained model's class, at least", metavar="PERCENT"),
    ] = None,
    max_error: Annotated[
        float | None, typer.Option(help="budget: relative error of the outputs in %, at most", metavar="PERCENT")
    ] = None,
    max_energy: Annotated[
        float | None, typer.Option(help="budget: energy in % of the trained model's, at most", metavar="PERCENT")
    ] = None,
    output: Annotated[str, typer.Option(help=f"what the outputs are: {', '.join(OUTPUTS)}")] = _DEFAULTS.output,
    steps: Annotated[
        str | None,
        typer.Option(
            help="time steps the model is made for, a number or auto, the least that does; callers may change them "
            f"[default: auto; with the rate code {RATE_STEPS}]",
            metavar="auto|N",
        ),
    ] = None,
    exponent: Annotated[
        int | None,
        typer.Option(
            help="J of the delta code's finest height 2^-J, two-phase and in streams "
            f"[default: the least that does; in streams {EXPONENT}]"
        ),
    ] = _DEFAULTS.exponent,
    analog_input: Annotated[
        bool, typer.Option(help="delta code: the input enters its first weights as numbers, once")
    ] = _DEFAULTS.analog_input,
    exact_skips: Annotated[
        bool, typer.Option(help="delta code: skip connections read values, not what was sent of them")
    ] = _DEFAULTS.exact_skips,
    method: Annotated[
        str, typer.Option(help=f"how ranges are calibrated: {', '.join(METHOD_CHOICES)}")
    ] = _DEFAULTS.method,
    percentile: Annotated[
        float, typer.Option(help="share of a channel's activations its range covers, in % (method percentile)")
    ] = _DEFAULTS.percentile,
    max_spikes: Annotated[
        int | None, typer.Option(help="most spikes in one step [default: 1 for if and if-signed, else 15]")
    ] = _DEFAULTS.max_spikes,
    correction: Annotated[
        str, typer.Option(help=f"layer by layer against the trained model: {', '.join(CORRECTION_CHOICES)}")
    ] = _DEFAULTS.correction,
    schedule: Annotated[str, typer.Option(help=f"schedule: {', '.join(SCHEDULE_CHOICES)}")] = _DEFAULTS.schedule,
    layers: Annotated[
        Path | None, typer.Option(help="other choices for single layers: TOML with a table [layers.NAME] for each")
    ] = None,
    tau_rc: Annotated[
        float, typer.Option(help="membrane time constant of (Adaptive)LIF neurons, in seconds")
    ] = _DEFAULTS.tau_rc,
    tau_ref: Annotated[
        float | None,
        typer.Option(help="refractory time of (Adaptive)LIF neurons, in seconds [default: fitted per layer]"),
    ] = _DEFAULTS.tau_ref,
    min_voltage: Annotated[
        float | None,
        typer.Option(
            help="lowest membrane potential of (Adaptive)LIF neurons [default: -1; 0 with a readout that forgets]"
        ),
    ] = None,
    tau_n: Annotated[
        float, typer.Option(help="time constant of AdaptiveLIF's adaptation, in seconds")
    ] = _DEFAULTS.tau_n,
    inc_n: Annotated[
        float, typer.Option(help="share of a spike's height by which AdaptiveLIF's adaptation grows at each spike")
    ] = _DEFAULTS.inc_n,
    dt: Annotated[float, typer.Option(help="length of a time step, in seconds")] = _DEFAULTS.dt,
    streaming: Annotated[
        bool, typer.Option(help="neurons' states become inputs and outputs, so that a caller can run chunks of time")
    ] = _DEFAULTS.streaming,
    readout: Annotated[
        str,
        typer.Option(
            help=f"what a stream of the rate code answers: {', '.join(READOUTS)}; all but mean follow an input that changes"
        ),
    ] = _DEFAULTS.readout,
    long_streams: Annotated[
        bool,
        typer.Option(help="with --streaming: sums are two numbers each and stay true for more than a million steps"),
    ] = _DEFAULTS.long_streams,
    explicit_inputs: Annotated[
        bool,
        typer.Option(
            "--explicit-inputs",
            help="n_steps, states and the like are inputs without defaults, for runtimes such as JavaScript and Java that "
            "cannot feed others",
        ),
    ] = _DEFAULTS.explicit_inputs,
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
    options = Options(
        neuron=neuron,
        n_steps=parse_steps(steps),
        code=code,
        exponent=exponent,
        min_agreement=min_agreement,
        max_error=max_error,
        max_energy=max_energy,
        output=output,
        analog_input=analog_input,
        exact_skips=exact_skips,
        method=method,
        percentile=percentile,
        max_spikes=max_spikes,
        correction=correction,
        schedule=schedule,
        layers=load_layers(layers) if layers else {},
        tau_rc=tau_rc,
        tau_ref=tau_ref,
        min_voltage=min_voltage,
        tau_n=tau_n,
        inc_n=inc_n,
        dt=dt,
        streaming=streaming,
        readout=readout,
        long_streams=long_streams,
        explicit_inputs=explicit_inputs,
    )
    stem = model.name if model.is_dir() else model.stem
    out = out or model.with_name(f"{stem}.snn.onnx")
    check_writable(out, report, json)
    prepared = preprocessing(preprocess)
    ann = load_ann(model, sample_shape=peek_shape(calibration, prepared), trust=trust)
    samples = load_samples(calibration, ann.input_specs, preprocess=prepared)
    say_doubts(samples, None, ann)
    where = None if engine == "local" else chosen_engine(engine, ray_address)
    with progress() as advance:
        conversion = convert(ann, samples, options=options, progress=advance, engine=where)
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
    messages().print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB)")


def parse_steps(text: str | None) -> int:
    """ "8" -> 8; None, or "auto", where it is left open.

    Raises:
        typer.BadParameter: something else.
    """
    if text is None or text == AUTO:
        return cast(int, text)
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor {AUTO}", param_hint="--steps") from None
