"""onnx-snn bench"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from converter.bench.main import BATCHES, Benchmark, Timing, benchmark
from converter.bench.profile import LayerTime, Profile
from converter.bench.timing import SECONDS
from converter.commands.arguments import (
    Backend,
    Json,
    Preprocess,
    Provider,
    ProviderOptions,
    SpikingFile,
    Trust,
    parse_numbers,
    parse_provider_options,
)
from converter.commands.loading import load, preprocessing
from converter.io.files import check_writable
from converter.io.samples import peek_shape
from converter.io.shards import HELP
from converter.normalise.ann import load_ann
from converter.report.console import messages, number, percent, progress, results, table
from converter.report.json_file import write_json
from converter.spiking.model import SpikingModel

_BAR = 20
"""Characters of the longest bar."""
_EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
"""A character, from empty to full."""


def bench_command(
    model: SpikingFile,
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help=f"{HELP} [default: random numbers from 0 to 1]")
    ] = None,
    preprocess: Preprocess = None,
    against: Annotated[
        Path | None, typer.Option(help="the trained model [default: the file it was made from, if it is still there]")
    ] = None,
    batch: Annotated[str, typer.Option(help="samples of a call, separated by commas")] = ",".join(map(str, BATCHES)),
    steps: Annotated[
        str | None, typer.Option(help="numbers of time steps [default: those the model was made for]")
    ] = None,
    threads: Annotated[
        str | None, typer.Option(help="ONNX Runtime's threads, numbers separated by commas [default: its own choice]")
    ] = None,
    backend: Backend = "native",
    provider: Provider = "cpu",
    provider_option: ProviderOptions = None,
    profile: Annotated[bool, typer.Option("--profile", help="say where the time goes, layer by layer")] = False,
    seconds: Annotated[float, typer.Option(min=0.01, help="to measure each row for")] = SECONDS,
    trust: Trust = False,
    json: Json = None,
) -> None:
    """Measure latency, throughput and memory beside the trained model, after their outputs were compared."""
    provider_options = parse_provider_options(provider_option)
    batches = parse_numbers(batch, "--batch")
    step_numbers = parse_numbers(steps, "--steps") if steps else None
    thread_numbers = parse_numbers(threads, "--threads") if threads else [None]
    check_writable(json)
    spiking = SpikingModel(model)
    source = against or spiking.source()
    shape = peek_shape(data, preprocessing(preprocess, spiking)) if data else None
    ann = load_ann(source, sample_shape=shape, trust=trust) if source else None
    samples = load(data, spiking, preprocess=preprocess, against=ann) if data else None
    with progress() as advance:
        found = benchmark(
            spiking,
            samples,
            against=ann,
            batches=batches,
            steps=step_numbers,
            threads=thread_numbers,
            backend=backend,
            provider=provider,
            provider_options=provider_options,
            profiles=profile,
            seconds=seconds,
            progress=advance,
        )
    if json:
        write_json({"data": str(data) if data else None, **found.summary()}, json)
    if str(json) != "-":
        print_benchmark(found)
        if source is None:
            messages().print("The trained model is not here: no ratio. Name it with --against MODEL.onnx.")
    if ann is not None and spiking.metadata.source_sha256 not in ("", ann.sha256):
        messages().print(f"{source} is not the file that {model} was made from: its SHA-256 is another one.")


def print_benchmark(found: Benchmark) -> None:
    """Prints the tables."""
    results().print(f"{found.machine}", soft_wrap=True)
    trained = f", trained model {_bytes(found.trained_file_bytes)}" if found.trained else ""
    data = "random numbers from 0 to 1" if found.random else f"{found.samples} samples"
    name = Path(found.model).name
    results().print(
        f"{name}: {found.schedule}, {found.backend} on {found.provider}, {_bytes(found.file_bytes)}{trained}; {data}",
        soft_wrap=True,
    )
    if found.random:
        messages().print("On random numbers neurons may spike more or less than on real samples; --data takes those.")
    if found.outputs:
        columns = ("steps", "accuracy", "agreement", "relative error")
        rows = [
            (each.n_steps, percent(each.accuracy), percent(each.agreement), number(each.relative_error))
            for each in found.outputs.steps
        ]
        results().print(table(f"Outputs, {found.outputs.samples} samples", columns, rows))
    results().print(_timings_table(found.timings))
    results().print(_processes_table(found.timings))
    for profile in found.profiles:
        results().print(_layers_table(profile))
        results().print(_kinds_table(profile))
    denormals = {layer.name: layer.denormal_weights for each in found.profiles for layer in each.layers}
    for name, count in denormals.items():
        if count:
            messages().print(
                f"{name}: {count:,} weights are denormal numbers, below 1.2e-38. Processors may multiply these a hundred times "
                "more slowly; zeros in their place give the same answers.",
                soft_wrap=True,
            )


def _timings_table(timings: Sequence[Timing]) -> Table:
    rows = [
        (
            *_way(timing),
            _time(timing.latency.median),
            f"{_time(timing.latency.p10)} - {_time(timing.latency.p90)}",
            _time(timing.latency.p99),
            f"{timing.throughput:,.0f}" if timing.throughput >= 10 else number(timing.throughput),
            number(timing.ratio),
        )
        for timing in timings
    ]
    columns = (*_WAY, "p50", "p10 - p90", "p99", "samples/s", "x trained")
    return table("Time of a call", columns, rows, drop=("p99", "p10 - p90", "threads"))


def _processes_table(timings: Sequence[Timing]) -> Table:
    rows = [
        (
            *_way(timing),
            _time(timing.cold.load),
            _time(timing.cold.first_answer),
            _bytes(timing.cold.peak_bytes),
            _bytes(timing.cold.empty_bytes),
        )
        for timing in timings
    ]
    columns = (*_WAY, "loaded after", "first answer after", "peak memory", "before loading")
    return table("In a process of its own", columns, rows, drop=("before loading", "threads"))


_WAY = ("system", "steps", "threads", "batch")


def _way(timing: Timing) -> tuple[object, ...]:
    """Those of `_WAY`."""
    return timing.system, timing.n_steps or "", timing.threads or "auto", timing.batch


def _layers_table(profile: Profile) -> Table:
    threads = "" if profile.threads is None else f", threads {profile.threads}"
    way = f"steps {profile.n_steps}, batch {profile.batch}{threads}"
    title = f"Where the time goes: {way}; {_time(profile.seconds)} a call, mean of {profile.runs}"
    longest = max(layer.seconds for layer in profile.layers)
    rows = [
        (layer.name, layer.op_type, layer.kind, _bar(layer.seconds / longest), *_figures(layer, profile))
        for layer in profile.layers
    ]
    columns = ("layer", "operator", "kind", "", *_FIGURES)
    return table(title, columns, rows, left=4, drop=("floor", "kind", "x floor", "operator", ""))


def _kinds_table(profile: Profile) -> Table:
    kinds = profile.kinds()
    everything = replace(
        LayerTime("all", "", "", profile.seconds, floor=profile.floor),
        multiply_adds=sum(kind.multiply_adds for kind in kinds),
        bytes_moved=sum(kind.bytes_moved for kind in kinds),
    )
    longest = max(kind.seconds for kind in kinds)
    rows = [
        (
            kind.name,
            "" if kind is everything else _bar(kind.seconds / longest),
            *_figures(kind, profile),
            f"{kind.multiply_adds:,}" if kind.multiply_adds else "-",
            _bytes(kind.bytes_moved) if kind.bytes_moved else "-",
        )
        for kind in (*kinds, everything)
    ]
    rate = max(profile.rates.multiply_adds.values()) / 1e9
    title = f"By kind; floor: multiply-adds at {rate:,.0f} G/s, or a copy of as many bytes, whichever takes longer"
    columns = ("kind", "", *_FIGURES, "multiply-adds", "bytes moved")
    return table(title, columns, rows, left=2, drop=("bytes moved", "floor", "multiply-adds", "x floor", ""))


_LEAST_FLOOR = 1e-7
_FIGURES = ("time", "share", "floor", "x floor")


def _figures(layer: LayerTime, profile: Profile) -> tuple[str, ...]:
    """Those of `_FIGURES`; a floor far below the profiler's microseconds says nothing."""
    floor = layer.floor if layer.floor >= _LEAST_FLOOR else None
    return (
        _time(layer.seconds),
        percent(layer.seconds / profile.seconds, 1),
        _time(floor) if floor else "-",
        f"{layer.seconds / floor:.1f}" if floor else "-",
    )


def _bar(share: float) -> str:
    """A bar of at most `_BAR` characters, in eighths of one."""
    whole, eighths = divmod(round(8 * _BAR * max(share, 0.0)), 8)
    return _EIGHTHS[8] * whole + _EIGHTHS[eighths].strip()


def _time(seconds: float) -> str:
    """0.00123 -> "1.23 ms"."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{_three(seconds * factor)} {unit}"
    return f"{_three(seconds * 1e6)} \u00b5s"


def _bytes(count: int | None) -> str:
    """1234567 -> "1.23 MB"; None -> "-"."""
    if count is None:
        return "-"
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{_three(count / factor)} {unit}"
    return f"{_three(count / 1e3)} kB"


def _three(value: float) -> str:
    """Three significant digits, no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
