"""What `convert` takes by itself, or by a budget, on a folder of trained models: ``python -m benchmarks.defaults [FOLDER]``.

The folder and its samples are those of `benchmarks.zoo`: 512 calibration samples, images of the training set where there are
any; 1,000 test samples that chose nothing, 32 where they are made up. A row has what was promised on calibration samples, and
what the test samples say. Finished models are kept in the JSON file and not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import zoo, zoo_data
from benchmarks.machine import describe
from converter import Options, SpikingModel, convert, evaluate, load_ann
from converter.errors import RefusedError
from converter.report.json_file import write_json

CALIBRATION, TEST, MADE_UP = 512, 1000, 32


@dataclass(frozen=True)
class Row:
    """One model. Shares, not per cent.

    Attributes:
        labelled: its test samples have labels.
        schedule, n_steps, exponent: what was taken.
        reached: whether that has what was asked.
        promised: energy ratio on calibration samples.
        loss: accuracy lost on test samples; None without labels.
        agreement, error: on test samples.
        spikes, energy: spikes per synapse and energy ratio, on samples that were held out.
        eight_bit: energy ratio of the 8-bit network.
        beside: exponent and spikes per synapse of the choice of the other schedule; None for an exponent: stepped.
        seconds: of the conversion.
        refused: why there is none.
    """

    model: str
    labelled: bool
    schedule: str = ""
    n_steps: int = 0
    exponent: int | None = None
    reached: bool = False
    promised: float | None = None
    trained: float | None = None
    loss: float | None = None
    agreement: float | None = None
    error: float | None = None
    spikes: float | None = None
    energy: float | None = None
    eight_bit: float | None = None
    beside: tuple[int | None, float | None] | None = None
    seconds: float = 0.0
    refused: str = ""


def main() -> None:
    """Prints a row for each model, and the table as Markdown at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=zoo_data.models_folder())
    parser.add_argument("--models", help="only those whose names contain one of these, separated by commas")
    parser.add_argument("--max-energy", type=float)
    parser.add_argument("--min-agreement", type=float)
    parser.add_argument("--schedule", default="auto")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    budget = {name: getattr(arguments, name) for name in ("max_energy", "min_agreement", "schedule")}
    rows = _known(arguments.json, budget)
    for entry in zoo.chosen(arguments.folder, arguments.models):
        if entry["path"].stem not in {row.model for row in rows}:
            rows.append(_row(entry, Options(**budget)))
            print(asdict(rows[-1]), flush=True)
            if arguments.json:
                write_json(
                    {"machine": describe(), "budget": budget, "rows": [asdict(row) for row in rows]}, arguments.json
                )
    print("\n".join(table(rows)))


def _known(path: Path | None, budget: dict[str, Any]) -> list[Row]:
    if path is None or not path.exists():
        return []
    found = json.loads(path.read_text())
    return [Row(**row) for row in found["rows"]] if found["budget"] == budget else []


def _row(entry: dict[str, Any], options: Options) -> Row:
    name, labelled = entry["path"].stem, "dataset" in entry
    counts = argparse.Namespace(calibration=CALIBRATION, samples=TEST, unlabelled=MADE_UP, made_up=CALIBRATION)
    start = time.perf_counter()
    try:
        ann = load_ann(entry["path"])
        calibration, test = zoo.samples_for(ann, entry, counts)
        start = time.perf_counter()
        conversion = convert(ann, calibration, options=options)
        seconds = time.perf_counter() - start
        with TemporaryDirectory() as folder:
            conversion.save(Path(folder) / "m.snn.onnx")
            spiking = SpikingModel(Path(folder) / "m.snn.onnx")
            result = evaluate(spiking, test, [conversion.options.n_steps], against=ann)
    except RefusedError as error:
        return Row(
            name, labelled, seconds=time.perf_counter() - start, refused=str(error).removeprefix(f"{entry['path']}: ")
        )
    (step,), front = result.steps, conversion.front
    beside = front.points[front.beside] if front is not None and front.beside is not None else None
    return Row(
        name,
        labelled,
        conversion.options.schedule,
        conversion.options.n_steps,
        conversion.options.exponent,
        front is not None and front.reached,
        None if front is None else front.chosen.energy_ratio,
        result.ann_accuracy if labelled else None,
        (result.ann_accuracy or 0.0) - (step.accuracy or 0.0) if labelled else None,
        step.agreement,
        step.relative_error,
        conversion.work.spikes_per_synapse,
        conversion.work.energy_ratio,
        conversion.eight_bit.energy_ratio,
        None if beside is None else (beside.exponent, beside.spikes_per_synapse),
        seconds,
    )


def table(rows: list[Row]) -> list[str]:
    """As Markdown, with medians and worst cases."""
    lines = [
        "| model | trained | T or J | points lost | error, % | spikes per synapse | energy, % | 8-bit, % | other schedule |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        if row.refused:
            lines.append(f"| {row.model} | refused: {row.refused} |" + " |" * 7)
            continue
        taken = f"T = {row.n_steps}" if row.exponent is None else f"J = {row.exponent}"
        beside = ""
        if row.beside is not None:
            beside = f"{'stepped' if row.beside[0] is None else f'J = {row.beside[0]}'}: {row.beside[1]:.2f}"
        cells = (
            row.model,
            _percent(row.trained),
            taken + ("" if row.reached else " (not reached)"),
            _percent(row.loss),
            _percent(row.error),
            f"{row.spikes:.2f}",
            _percent(row.energy, 1),
            _percent(row.eight_bit, 1),
            beside,
        )
        lines.append(f"| {' | '.join(cells)} |")
    for what, of in (("labelled", True), ("others", False)):
        some = [row for row in rows if row.labelled == of and not row.refused]
        if some:
            figures = {
                "points lost" if of else "error, %": [100 * ((row.loss if of else row.error) or 0.0) for row in some],
                "spikes per synapse": [row.spikes or 0.0 for row in some],
                "energy, %": [100 * (row.energy or 0.0) for row in some],
            }
            words = [f"{name} {median(v):.2f} median, {max(v):.2f} worst" for name, v in figures.items()]
            lines += ["", f"{what}, {len(some)} models: {'; '.join(words)}"]
    return lines


def _percent(share: float | None, digits: int = 2) -> str:
    return "" if share is None else f"{100 * share:.{digits}f}"


if __name__ == "__main__":
    main()
