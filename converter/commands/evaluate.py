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
    Data,
    FirstSamples,
    Json,
    Libraries,
    Preprocess,
    Provider,
    ProviderOptions,
    SpikingFile,
    Threads,
    Trust,
    parse_numbers,
    parse_provider_options,
)
from converter.commands.loading import load, preprocessing
from converter.errors import RefusedError, concerning
from converter.io.files import check_writable
from converter.io.samples import peek_shape
from converter.measure.evaluation import Evaluation, evaluate, usual_steps
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
    data: Data,
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
    if stream and picture:
        raise RefusedError("a stream has no picture; leave --picture or --stream out")
    if stream and numbers is not None and len(numbers) != 1:
        raise RefusedError(f"in a stream every sample has the same number of steps; --steps {steps} names several")
    check_writable(json, picture)
    spiking = SpikingModel(model, libraries=library or ())
    source = against or spiking.source()
    ann: Ann | None = (
        load_ann(source, sample_shape=peek_shape(data, preprocessing(preprocess, spiking)), trust=trust)
        if source
        else None
    )
    loaded = load(data, spiking, first=samples, preprocess=preprocess, against=ann)
    evaluation: Evaluation | StreamEvaluation
    work: WorkTotals | None = None
    counted: dict[str, Any] = {}
    with progress() as advance, concerning(model):
        place: dict[str, Any] = {
            "against": ann,
            "backend": backend,
            "provider": provider,
            "provider_options": provider_options,
            "threads": threads,
            "progress": lambda done, of: advance("evaluating", done, of),
        }
        if stream:
            evaluation = evaluate_stream(spiking, loaded, numbers[0] if numbers else None, **place)
        else:
            evaluation = evaluate(spiking, loaded, numbers or usual_steps(spiking), **place)
            n_steps = evaluation.steps[-1].n_steps
            work = work_of_file(spiking, evaluation.spikes, loaded.shapes_of_one, n_steps)
            counted = {"work": {"n_steps": n_steps, **asdict(work)}}
    if json:
        against_file = str(source) if source else None
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
        accuracy_picture({spiking.path.name: evaluation}, picture, title=f"{spiking.path.name}, {len(loaded)} samples")


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
