"""What the delta code costs and loses on a folder of trained models: ``python -m benchmarks.delta_models [FOLDER]``.

Each model is converted with its input as numbers and exact skips, and with its input sent; stepped, read at several T, and in
two phases with several J. A cell has the points of accuracy lost, or without labels the relative error of the worst output, and
what the evaluated samples cost. Finished cells are kept in the results file, and a page is made of it. The folder has a
``models.json`` (see `benchmarks.zoo_data`); samples of models without a data set are made up (`benchmarks.zoo_samples`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import delta_streams, zoo, zoo_data, zoo_samples
from benchmarks.machine import describe
from converter import Options, SpikingModel, convert, evaluate, load_ann
from converter.conversion.prepare import prepare
from converter.errors import RefusedError
from converter.io.samples import Samples, check_samples
from converter.measure.evaluation import Evaluation
from converter.measure.work_of_file import work_of_file
from converter.normalise.ann import Ann
from converter.report.json_file import write_json
from converter.spiking.codes import DELTA

RESULTS = Path("benchmarks/results/delta/models.json")
PAGE = Path("docs/delta-models.md")
CALIBRATION = 288
"""Samples; an eighth, at most 32, is held out, so that ranges follow from 256."""
TEST = 500
UNLABELLED = 16
"""Test samples of models for which no samples are made up."""
INPUTS: dict[str, dict[str, Any]] = {
    "input analog": {"analog_input": True, "exact_skips": True},
    "input sent": {},
}
STEPS = (1, 2, 3, 4, 6, 8)
EXPONENTS = (5, 6)


Behind = dict[str, dict[str, int]]
"""Multiply-adds of the layers that a value enters, by the value and the layer."""


@dataclass(frozen=True)
class Cell:
    """A model after T steps, or in two phases with a J.

    Attributes:
        lost: points of accuracy; None without labels.
        disagrees: samples with another class than the trained model's, in %; None with one score only.
        error: relative error of the worst output, in %.
        spikes: spikes per synapse, each by its own fan-out.
        spikes_mean_fan_out: the same if each counts its layer's mean fan-out, products with a border of zeros included.
        energy: in % of the trained model's.
    """

    lost: float | None
    disagrees: float | None
    error: float | None
    spikes: float | None
    spikes_mean_fan_out: float
    energy: float | None


@dataclass(frozen=True)
class Model:
    """A trained model with its samples."""

    name: str
    ann: Ann
    calibration: Samples
    test: Samples


def main() -> None:
    arguments = _arguments()
    results = _read(arguments.json)
    for name, entry in zoo_data.entries(arguments.folder).items():
        if arguments.models and not any(part in name for part in arguments.models.split(",")):
            continue
        for line in measure(name, {**entry, "path": arguments.folder / entry["file"]}, results["models"]):
            print(line, flush=True)
            write_json(results, arguments.json)
    streams = json.loads(arguments.streams.read_text()) if arguments.streams.exists() else None
    arguments.page.write_text("\n".join(page(results, streams)) + "\n")


def _arguments() -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=zoo_data.models_folder())
    parser.add_argument("--models", help="only those whose names contain one of these, separated by commas")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, help="results, finished cells of which are not measured again"
    )
    parser.add_argument(
        "--streams", type=Path, default=delta_streams.RESULTS, help="results of delta_streams, for the page"
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    return parser.parse_args()


def _read(path: Path) -> dict[str, Any]:
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return {"machine": describe(), "models": {}}


def ways() -> Iterator[tuple[str, dict[str, Any], int]]:
    """A column's name, the options, and the number of steps to read at."""
    for steps in STEPS:
        yield f"T = {steps}", {"n_steps": STEPS[-1]}, steps
    for exponent in EXPONENTS:
        options: dict[str, Any] = {"schedule": "two-phase", "exponent": exponent}
        yield f"J = {exponent}", options, Options(code=DELTA.name, **options).settled().n_steps


def measure(name: str, entry: Mapping[str, Any], models: dict[str, Any]) -> Iterator[str]:
    """Measures the cells that are missing in `models`; a line after each."""
    model: Model | None = None
    mine = models.setdefault(name, {})
    for which, options in INPUTS.items():
        cells = mine.setdefault(which, {})
        spiking: dict[str, SpikingModel] = {}
        behind: Behind = {}
        for column, others, steps in ways():
            if column in cells or "refused" in mine:
                continue
            start = time.perf_counter()
            chosen = Options(code=DELTA.name, **options, **others).settled()
            try:
                model = model or load(name, entry)
                if repr(chosen) not in spiking:
                    spiking = {repr(chosen): _converted(model, chosen)}
                behind = behind or multiply_adds_behind(model, chosen)
                cell = asdict(_cell(model, spiking[repr(chosen)], behind, steps))
            except RefusedError as error:
                mine["refused"] = str(error).removeprefix(f"{entry['path']}: ")
                yield f"{name}: refused: {mine['refused']}"
                return
            cells[column] = cell
            mine["samples"] = len(model.test)
            yield f"{name:40} {which:13} {column:6} {_shown(cell)}   {time.perf_counter() - start:.0f} s"


def load(name: str, entry: Mapping[str, Any]) -> Model:
    """A model, with samples of its data set, made up for it, or of noise."""
    ann = load_ann(entry["path"])
    if "dataset" in entry or name not in zoo_samples.NAMES:
        counts = Namespace(calibration=CALIBRATION, samples=TEST, unlabelled=UNLABELLED, made_up=CALIBRATION)
        return Model(name, ann, *zoo.samples_for(ann, dict(entry), counts))
    specs = ann.input_specs
    drawn = zoo_samples.made_up(name, [spec.name for spec in specs], CALIBRATION, TEST)
    calibration, test = (check_samples(feed if y is None else {**feed, "y": y}, specs) for feed, y in drawn)
    return Model(name, ann, calibration, test)


def _converted(model: Model, options: Options) -> SpikingModel:
    conversion = convert(model.ann, model.calibration, options=options)
    return SpikingModel(model.ann.path, conversion.proto())


def _cell(model: Model, spiking: SpikingModel, behind: Behind, steps: int) -> Cell:
    found = evaluate(spiking, model.test, [steps], against=model.ann)
    work = work_of_file(spiking, found.spikes, model.test.shapes_of_one, steps)
    (result,) = found.steps
    errors = [output.relative_error for output in result.outputs.values() if output.relative_error is not None]
    labelled = found.ann_accuracy is not None and result.accuracy is not None
    return Cell(
        100 * (found.ann_accuracy - result.accuracy) if labelled else None,  # type: ignore[operator]
        None if result.agreement is None else 100 * (1 - result.agreement),
        100 * max(errors) if errors else None,
        work.spikes_per_synapse,
        by_mean_fan_out(found, behind),
        None if work.energy_ratio is None else 100 * work.energy_ratio,
    )


def multiply_adds_behind(model: Model, options: Options) -> Behind:
    """By a value that neurons send."""
    prepared = prepare(model.ann, model.calibration, options)
    return {
        encoder.site.name: {name: prepared.multiply_adds[name] for name in (str(e.node.name) for e in encoder.entries)}
        for encoder in prepared.encoders
    }


def by_mean_fan_out(found: Evaluation, behind: Behind) -> float:
    """Spikes per synapse, if each spike counts its layer's mean fan-out."""
    rates = {name.rpartition("_MultiThreshold")[0]: float(count.mean()) for name, count in found.spikes.items()}
    operations = sum(rates[name] * sum(layers.values()) for name, layers in behind.items())
    synapses = {name: work for layers in behind.values() for name, work in layers.items()}
    return operations / max(1, sum(synapses.values()))


def _shown(cell: Mapping[str, Any]) -> str:
    """Points lost, or the error with %; spikes; energy."""
    figure = f"{cell['error'] or 0:.1f} %" if cell["lost"] is None else f"{cell['lost'] + 0:.1f}"
    return f"{figure} / {cell['spikes']:.2f} ({cell['spikes_mean_fan_out']:.2f}) / {cell['energy']:.0f}"


def page(results: Mapping[str, Any], streams: Mapping[str, Any] | None = None) -> Iterable[str]:
    """The results as Markdown; `streams`: those of `delta_streams`."""
    yield from _HEAD.format(test=TEST).splitlines()
    columns = [name for name, _, _ in ways()]
    models: Mapping[str, Any] = results["models"]
    for which in INPUTS:
        yield from (
            "",
            f"## All models: {which}",
            "",
            f"| model | {' | '.join(columns)} |",
            "|---" * (len(columns) + 1) + "|",
        )
        for name, of_model in sorted(models.items()):
            cells = of_model.get(which, {})
            if "refused" in of_model:
                yield f"| {name} | refused: {of_model['refused']} |{' |' * (len(columns) - 1)}"
            elif cells:
                row = " | ".join(_shown(cells[column]) if column in cells else "" for column in columns)
                yield f"| {name} ({of_model['samples']}) | {row} |"
    yield from (
        "",
        "## Medians and worst cases",
        "",
        "| | loss, points | disagreement, % | error, % | spikes | energy, % |",
    )
    yield "|---" * 6 + "|"
    for which in INPUTS:
        for column in columns:
            cells = [of_model[which][column] for of_model in models.values() if column in of_model.get(which, {})]
            if cells:
                yield f"| {which}, {column} | {' | '.join(_summary(cells))} |"
    if streams:
        yield from _STREAMS.format(exponent=streams["exponent"]).splitlines()
        yield from ("", *delta_streams.table(streams))
    yield from ("", f"Machine: {results['machine']}")


def _summary(cells: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    labelled, others = ([c for c in cells if (c["lost"] is None) is without] for without in (False, True))
    for chosen, field, digits in (
        (labelled, "lost", 1),
        (labelled, "disagrees", 1),
        (others, "error", 1),
        (cells, "spikes", 2),
        (cells, "energy", 0),
    ):
        values = [c[field] for c in chosen if c[field] is not None]
        yield f"{statistics.median(values):.{digits}f} / {max(values):.{digits}f}" if values else ""


_HEAD = """# The delta code on real models

    python -m benchmarks.delta_models MODELS

The models of [accuracy.md](accuracy.md), converted with the options of the delta code alone. Ranges follow from 256
samples: training images, or made-up ones where a model has no data set (parts of photographs, spoken words, lines of
text, a humming machine: `benchmarks/zoo_samples.py`). The test has {test} images, or as many made-up samples as stand
behind the model's name. A cell:

**points of accuracy lost, or the relative error of the worst output in % / spikes per synapse / energy in % of the
trained model's**

Spikes and energy are those of the test samples, by the rules of [energy.md](energy.md), each spike with its own fan-out.
In brackets: spikes per synapse if each counts its layer's mean fan-out and products with a border of zeros count too, as
simulations often do.

"Input analog": `--analog-input --exact-skips`, the first layer multiplies numbers, once. "Input sent": the default. T:
stepped. J: in two phases, `--schedule two-phase --exponent J`, at most 4 spikes a value."""
_STREAMS = """
## Streams

    python -m benchmarks.delta_streams MODELS

A patch of a quarter of the width, cut from another image, moves over a still image, a pixel a frame, with noise of 0, 1
and 2 of 255. Frames go one by one through a two-phase stream, J = {exponent}. A cell: **synaptic operations of a frame as
a share of a fresh frame's; relative error against the trained model in %, and that of fresh frames.** Photographs are
full of values, so that a fresh frame costs much. Digits stand on an empty ground: a fresh frame costs little there, and
a patch with strokes is a third of all that there is to send."""


if __name__ == "__main__":
    main()
