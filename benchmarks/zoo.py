"""A folder of trained models through the converter, by the rate code: ``python -m benchmarks.zoo [FOLDER]``.

The folder has a ``models.json`` (see `benchmarks.zoo_data`). Models with a dataset lose points of accuracy on its test
images; the others have a relative L2 error of their outputs on samples made for them. Calibration takes training images
only.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import datasets, zoo_data
from benchmarks.machine import describe
from converter import Options, SpikingModel, convert, evaluate, load_ann
from converter.errors import RefusedError
from converter.io.samples import InputSpec, Samples, check_samples, load_samples
from converter.normalise.ann import Ann
from converter.report.json_file import write_json

FREE_LENGTH = 64


@dataclass(frozen=True)
class Row:
    """One model's result; `figures` by number of steps: points lost, or the relative error in per cent."""

    model: str
    what: str
    trained: float | None
    figures: dict[int, float]
    picked: str
    seconds: float
    refused: str = ""


def main() -> None:
    arguments = _arguments()
    print(describe())
    rows = []
    for entry in chosen(arguments.folder, arguments.models):
        row = score(entry, arguments)
        rows.append(row)
        print(line(row, arguments.steps), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest memory: {peak:.0f} MiB")
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(table(rows, arguments.steps)) + "\n")
    if arguments.json:
        write_json({"machine": describe(), "rows": [vars(row) for row in rows]}, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=zoo_data.models_folder())
    parser.add_argument("--models", help="only those whose names contain one of these, separated by commas")
    parser.add_argument("--steps", type=lambda text: [int(t) for t in text.split(",")], default=[4, 8, 16, 32])
    parser.add_argument("--for-each", action="store_true", help="convert anew for each number of steps")
    parser.add_argument("--calibration", type=int, default=256, help="calibration samples")
    parser.add_argument("--samples", type=int, default=10_000, help="test samples of models with a dataset")
    parser.add_argument("--unlabelled", type=int, default=16, help="test samples of the others")
    parser.add_argument("--made-up", type=int, default=64, help="calibration samples of the others, at most")
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE of converter.Options")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def chosen(folder: Path, names: str | None) -> Iterable[dict[str, Any]]:
    """The folder's models, or those whose names contain one of these, separated by commas."""
    for name, entry in zoo_data.entries(folder).items():
        if names is None or any(part in name for part in names.split(",")):
            yield {**entry, "path": folder / entry["file"]}


def score(entry: dict[str, Any], arguments: argparse.Namespace) -> Row:
    """Converts and evaluates one model."""
    start = time.perf_counter()
    name = entry["path"].stem
    labelled = "dataset" in entry
    what = "points lost" if labelled else "relative error, %"
    try:
        ann = load_ann(entry["path"])
        calibration, test = samples_for(ann, entry, arguments)
        figures: dict[int, float] = {}
        trained, picked = None, ""
        runs = [[t] for t in arguments.steps] if arguments.for_each else [arguments.steps]
        for steps in runs:
            options = Options(n_steps=steps[-1], **{"code": "rate", **_options(arguments.option)})
            conversion = convert(ann, calibration, options=options)
            picked = str(conversion.recipe)
            with TemporaryDirectory() as folder:
                conversion.save(Path(folder) / "m.snn.onnx")
                result = evaluate(SpikingModel(Path(folder) / "m.snn.onnx"), test, steps, against=ann)
            trained = result.ann_accuracy
            for step in result.steps:
                figure = (result.ann_accuracy or 0) - (step.accuracy or 0) if labelled else step.relative_error or 0
                figures[step.n_steps] = 100 * figure
        return Row(name, what, trained, figures, picked, time.perf_counter() - start)
    except RefusedError as error:
        return Row(name, what, None, {}, "", time.perf_counter() - start, str(error))


def _options(texts: list[str]) -> dict[str, Any]:
    pairs = (text.split("=", 1) for text in texts)
    kinds = {name: type(value) for name, value in vars(Options()).items()}
    return {name: kinds[name](value) if kinds[name] in (int, float, str) else value for name, value in pairs}


def samples_for(ann: Ann, entry: dict[str, Any], arguments: argparse.Namespace) -> tuple[Samples, Samples]:
    """Calibration samples and test samples."""
    specs = ann.input_specs
    if "samples" in entry:
        calibration, test = (load_samples(entry["path"].parent / name, specs) for name in entry["samples"])
        return calibration, test
    if "dataset" in entry:
        data = datasets.load(entry["dataset"])
        x_calibration = zoo_data.model_input(data.x_train[: arguments.calibration], entry)
        x_test = zoo_data.model_input(data.x_test[: arguments.samples], entry)
        known, labels = data.y_train[: arguments.calibration], data.y_test[: arguments.samples]
        return check_samples({"x": x_calibration, "y": known}, specs), check_samples({"x": x_test, "y": labels}, specs)
    rng = np.random.default_rng(0)
    counts = min(arguments.made_up, arguments.calibration), arguments.unlabelled
    first, second = ({spec.name: _made_up(spec, n, rng, split) for spec in specs} for split, n in enumerate(counts))
    return check_samples(first, specs), check_samples(second, specs)


def _made_up(spec: InputSpec, count: int, rng: np.random.Generator, split: int) -> np.ndarray:
    """CIFAR-10 images in [-1, 1] for an input of three channels, normal noise for any other."""
    shape = [length if isinstance(length, int) else FREE_LENGTH for length in spec.shape[1:]]
    if len(shape) == 3 and shape[0] == 3:
        data = datasets.load("cifar10")
        images = (data.x_train, data.x_test)[split][:count].astype(np.float32) / 127.5 - 1
        rows, columns = (np.arange(n) * 32 // n for n in shape[1:])
        return images[:, :, rows][:, :, :, columns].astype(spec.dtype)
    return rng.normal(size=(count, *shape)).astype(spec.dtype)


def line(row: Row, steps: list[int]) -> str:
    """A row for the terminal."""
    if row.refused:
        return f"{row.model:38} refused: {row.refused}"
    trained = f"{row.trained:7.2%}" if row.trained is not None else 7 * " "
    figures = " ".join(f"{row.figures[t]:8.2f}" for t in steps)
    return f"{row.model:38} {trained} {figures}  {row.what:17} {row.seconds:5.0f} s  {row.picked}"


def table(rows: list[Row], steps: list[int]) -> Iterable[str]:
    """The rows as Markdown."""
    yield f"| model | trained | {' | '.join(f'T={t}' for t in steps)} | what | picked |"
    yield "|---" * (len(steps) + 4) + "|"
    for row in rows:
        trained = f"{row.trained:.2%}" if row.trained is not None else ""
        figures = " | ".join(f"{row.figures[t]:.2f}" if t in row.figures else "" for t in steps)
        yield f"| {row.model} | {trained} | {figures} | {row.refused or row.what} | {row.picked} |"


if __name__ == "__main__":
    main()
