"""onnx-snn evaluate"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from converter.commands.arguments import (
    Backend,
    EngineName,
    FirstSamples,
    Json,
    Libraries,
    Preprocess,
    Provider,
    ProviderOptions,
    RayAddress,
    SpikingFile,
    Threads,
    Trust,
    parse_numbers,
    parse_provider_options,
)
from converter.commands.arguments import Data as DataName
from converter.commands.engines import chosen_engine
from converter.commands.loading import load, preprocessing, say_doubts
from converter.engine.local import Engine
from converter.errors import RefusedError, concerning
from converter.io.files import check_writable
from converter.io.samples import Samples, head, peek_shape, pinned
from converter.io.shards import Data, find
from converter.measure.evaluation import Evaluation, evaluate, evaluate_data, usual_steps
from converter.measure.sequence import StreamEvaluation, evaluate_stream
from converter.measure.totals import WorkTotals
from converter.measure.work_of_file import work_of_file
from converter.normalise.ann import Ann, load_ann
from converter.options import check_steps
from converter.report.console import messages, percent, progress, results
from converter.report.json_file import write_json
from converter.report.plots import accuracy_picture
from converter.report.tables import outputs_table, rates_table, steps_table, stream_table, work_table
from converter.spiking.model import SpikingModel, StreamAnswer
from snn_ops.format import FormatError

LEAST_DIFFERENCE = 0.02
"""In accuracy, that is worth a word."""


def evaluate_command(
    model: SpikingFile,
    data: DataName,
    against: Annotated[
        Path | None, typer.Option(help="the trained model [default: the file it was made from, if it is still there]")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            help="numbers of time steps, separated by commas [default: 4,8,16,32; with the delta code 1,2,3,4,6,8; "
            "and that of the file; with --stream one number, the file's]"
        ),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="the samples one after the other without a reset, --steps steps each")
    ] = False,
    samples: FirstSamples = None,
    preprocess: Preprocess = None,
    engine: EngineName = "local",
    ray_address: RayAddress = None,
    backend: Backend = "native",
    provider: Provider = "cpu",
    provider_option: ProviderOptions = None,
    threads: Threads = None,
    library: Libraries = None,
    trust: Trust = False,
    json: Json = None,
    picture: Annotated[Path | None, typer.Option(help="draw accuracy over steps, PNG")] = None,
) -> None:
    """Measure accuracy, agreement with the trained model, and spike rates over the number of time steps, or in a stream."""
    numbers = None if steps is None else parse_steps(steps)
    provider_options = parse_provider_options(provider_option)
    if stream:
        _check_stream(numbers, picture)
    check_writable(json, picture)
    spiking = SpikingModel(model, libraries=library or ())
    source = against or spiking.source()
    chosen = preprocessing(preprocess, spiking)
    ann: Ann | None = load_ann(source, sample_shape=peek_shape(data, chosen), trust=trust) if source else None
    found, loaded = _loaded(data, spiking, samples, preprocess, ann, whole=stream)
    where = _where(engine, ray_address, found, threads, provider)
    evaluation: Evaluation | StreamEvaluation
    with progress() as advance, concerning(model):
        place: dict[str, Any] = {
            "against": ann,
            "backend": backend,
            "provider": provider,
            "provider_options": provider_options,
            "threads": threads or (1 if engine == "ray" else None),
            "progress": lambda done, of: advance("evaluating", done, of),
        }
        if stream:
            evaluation = evaluate_stream(spiking, loaded, numbers[0] if numbers else None, **place)
        elif found is None:
            evaluation = evaluate(spiking, loaded, numbers or usual_steps(spiking), **place)
        else:
            place |= {"inputs": pinned(spiking.inputs, loaded), "preprocess": chosen, "engine": where}
            evaluation = evaluate_data(spiking, found, numbers or usual_steps(spiking), **place)
        work = _work(spiking, evaluation, loaded)
    if json:
        against_file = str(source) if source else None
        counted: dict[str, Any] = {}
        if work is not None and isinstance(evaluation, Evaluation):
            counted = {"work": {"n_steps": evaluation.steps[-1].n_steps, **asdict(work)}}
        write_json({"model": str(spiking.path), "against": against_file, **evaluation.summary(), **counted}, json)
    if str(json) != "-":
        if isinstance(evaluation, StreamEvaluation):
            print_stream(evaluation, spiking)
        elif work is not None:
            print_evaluation(evaluation, work, spiking.path.name)
        if source is None:
            messages().print(
                "The trained model is not here: no agreement, no error. Name it with --against MODEL.onnx."
            )
    print_notes(spiking, evaluation)
    if picture and isinstance(evaluation, Evaluation):
        title = f"{spiking.path.name}, {evaluation.samples} samples"
        accuracy_picture({spiking.path.name: evaluation}, picture, title=title)


def _check_stream(numbers: list[int] | None, picture: Path | None) -> None:
    if picture:
        raise RefusedError("a stream has no picture; leave --picture or --stream out")
    if numbers is not None and len(numbers) != 1:
        named = ",".join(map(str, numbers))
        raise RefusedError(f"in a stream every sample has the same number of steps; --steps {named} names several")


def _loaded(
    data: str, spiking: SpikingModel, first: int | None, words: list[str] | None, ann: Ann | None, *, whole: bool
) -> tuple[Data | None, Samples]:
    """The data and some of their samples; or None and all samples, where they are few, come only once, or are wanted so."""
    found = find(data).first(first)
    if whole or found.is_stream or found.is_one:
        return None, load(data, spiking, first=first, preprocess=words, against=None if whole else ann)
    some = head(found, spiking.inputs, preprocessing(words, spiking))
    with suppress(FormatError):  # a damaged field tells nothing
        say_doubts(some, spiking, ann)
    return found, some


def _where(engine: str, address: str | None, found: Data | None, threads: int | None, provider: str) -> Engine:
    if found is None and engine == "ray":
        raise RefusedError("a stream, a Python function or a single small file runs in one process; leave --engine out")
    return chosen_engine(engine, address, threads=threads, provider=provider)


def _work(spiking: SpikingModel, evaluation: Evaluation | StreamEvaluation, samples: Samples) -> WorkTotals | None:
    """What the longest run costs; of a stream it is told frame by frame."""
    if isinstance(evaluation, StreamEvaluation):
        return None
    return work_of_file(spiking, evaluation.spikes, samples.shapes_of_one, evaluation.steps[-1].n_steps)


def print_notes(spiking: SpikingModel, evaluation: Evaluation | StreamEvaluation) -> None:
    """What makes the numbers say less than they seem to."""
    learnt = overfitted(spiking, evaluation) if isinstance(evaluation, Evaluation) else None
    for note in (*evaluation.notes, learnt):
        if note:
            messages().print(f"note: {note}")


def overfitted(spiking: SpikingModel, evaluation: Evaluation) -> str | None:
    """What to say where the trained model was right clearly more often on the calibration samples; None where it was not.

    Clearly: by two points and by three times what chance makes of as many samples.
    """
    with suppress(FormatError):
        front = spiking.metadata.front
        before, now, count = front.get("ann_accuracy"), evaluation.ann_accuracy, front.get("samples")
        if not isinstance(before, float) or not isinstance(count, int) or now is None:
            return None
        chance = math.sqrt(now * (1 - now) * (1 / count + 1 / evaluation.samples))
        if before - now > max(LEAST_DIFFERENCE, 3 * chance):
            return (
                f"the trained model is right on {percent(before)} of the calibration samples and on {percent(now)} of these: "
                "it probably learnt from the former, so agreement on them is too high; better calibrate with others"
            )
    return None


def parse_steps(text: str) -> list[int]:
    """ "4,8" -> [4, 8].

    Raises:
        RefusedError: a number below 1.
        typer.BadParameter: something that is no number.
    """
    numbers = parse_numbers(text, "--steps")
    check_steps(min(numbers))
    return numbers


def print_stream(evaluation: StreamEvaluation, spiking: SpikingModel) -> None:
    """Prints the table, and a word on files that do not follow their input."""
    title = f"{spiking.path.name}, a stream of {len(evaluation.frames)} samples, {evaluation.n_steps} steps each"
    results().print(stream_table(title, evaluation))
    with suppress(FormatError):  # what it answers was measured, whatever a damaged file says of it
        answer = StreamAnswer.of(spiking.metadata)
        if answer is not None and not answer.for_present_input:
            messages().print(
                "note: this file answers for the mean of everything since the stream began; --readout leaky or window, or "
                "--code delta, of `convert` give one that answers for the present input"
            )


def print_evaluation(evaluation: Evaluation, work: WorkTotals, name: str) -> None:
    """Prints the tables; `work` is that of the longest run, `name` the model's."""
    results().print(steps_table(f"{name}, {evaluation.samples} samples", evaluation))
    results().print(rates_table(evaluation))
    results().print(work_table(work, evaluation.steps[-1].n_steps))
    if len(evaluation.steps[-1].outputs) > 1:
        results().print(outputs_table(evaluation))
