"""Whether the step more that `convert` takes for safety is needed: ``python -m benchmarks.margin [--draws N] [--test N]``.

The embedded LeNet-5s and the trained workloads for MNIST and CIFAR-10, each converted by default from several draws of labelled
training images. A row has the T that was taken and the points of accuracy that it and one step fewer lose on test images.
Images are those of `tools/fetch_datasets.sh`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from benchmarks import datasets
from benchmarks.machine import describe
from benchmarks.systems._convert import trained_model
from benchmarks.workloads.catalogue import COUNTING, WORKLOADS
from converter import SpikingModel, convert, evaluate, load_ann
from converter.io.samples import Samples
from converter.normalise.ann import Ann

WORTH_A_WORD = 0.01
"""Of accuracy lost."""
WORKLOADS_OF = {"mnist": ("lenet-1", "lenet-4", "lenet-5", "mlp", "cnn"), "cifar10": ("resnet-8",)}


@dataclass(frozen=True)
class Row:
    """A conversion. Shares, not per cent.

    Attributes:
        n_steps: the T that was taken.
        safety: it is one more than the first that was good enough.
        loss, loss_of_one_fewer: accuracy lost on test images with T and T - 1 steps.
    """

    model: str
    draw: int
    n_steps: int
    safety: bool
    loss: float
    loss_of_one_fewer: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=5, help="of calibration images")
    parser.add_argument("--calibration", type=int, default=512, help="images in each")
    parser.add_argument("--test", type=int, default=10_000, help="test images")
    parser.add_argument("--models", help="only those whose names contain one of these, separated by commas")
    arguments = parser.parse_args()
    print(describe())
    print("| model | draw | T | one more for safety | points lost | one step fewer |\n|---|---|---|---|---|---|")
    rows = []
    with TemporaryDirectory() as folder:
        for name, ann, data in models(Path(folder), (arguments.models or "").split(",")):
            for draw in range(arguments.draws):
                rows.append(measure(name, ann, data, draw, arguments.calibration, arguments.test, Path(folder)))
                print(line(rows[-1]), flush=True)
    print("\n".join(counts(rows)))


def models(folder: Path, parts: list[str]) -> Iterator[tuple[str, Ann, datasets.Dataset]]:
    """Names, trained models, and their images, of those whose names contain one of these parts."""
    for activation in ("relu", "tanh"):
        name = f"embedded LeNet-5, {activation}"
        if any(part in name for part in parts):
            with resources.as_file(resources.files("converter.demo") / "data" / f"lenet5_{activation}.onnx") as path:
                yield name, load_ann(path), datasets.load("mnist")
    for dataset, names in WORKLOADS_OF.items():
        for name in (name for name in names if any(part in name for part in parts)):
            path = folder / f"{name}.onnx"
            onnx.save(trained_model(WORKLOADS[name]().network(COUNTING[0])), path)
            yield name, load_ann(path), datasets.load(dataset)


def measure(name: str, ann: Ann, data: datasets.Dataset, draw: int, calibration: int, test: int, folder: Path) -> Row:
    """Converts from one draw of calibration images and evaluates on test images."""
    (spec,) = ann.input_specs
    which = np.random.default_rng(draw).choice(len(data.x_train), calibration, replace=False)

    def samples(x: np.ndarray, y: np.ndarray) -> Samples:
        return Samples({spec.name: (x.astype(np.float32) / 255).astype(spec.dtype)}, y)

    conversion = convert(ann, samples(data.x_train[which], data.y_train[which]))
    conversion.save(folder / "m.snn.onnx")
    n_steps, front = conversion.options.n_steps, conversion.front
    steps = sorted({max(1, n_steps - 1), n_steps})
    found = evaluate(
        SpikingModel(folder / "m.snn.onnx"), samples(data.x_test[:test], data.y_test[:test]), steps, against=ann
    )
    fewer, taken = ((found.ann_accuracy or 0.0) - (step.accuracy or 0.0) for step in (found.steps[0], found.steps[-1]))
    return Row(name, draw, n_steps, front is not None and front.safety, taken, fewer)


def line(row: Row) -> str:
    """A row of the table."""
    cells = (row.model, row.draw, row.n_steps, "yes" if row.safety else "no")
    return f"| {' | '.join(map(str, cells))} | {100 * row.loss:.2f} | {100 * row.loss_of_one_fewer:.2f} |"


def counts(rows: list[Row]) -> list[str]:
    """How often the step more made the difference."""
    safe = [row for row in rows if row.safety]
    needed = [row for row in safe if row.loss <= WORTH_A_WORD < row.loss_of_one_fewer]
    neither = [row for row in safe if row.loss > WORTH_A_WORD]
    worst = max((row.loss_of_one_fewer for row in safe), default=0.0), max((row.loss for row in safe), default=0.0)
    text = (
        f"{len(safe)} of {len(rows)} conversions took one step more. {len(needed)} lose more than 1 point without it and not "
        f"with it, {len(neither)} with it, too. Most lost without it and with it: {worst[0]:.2%} and {worst[1]:.2%}."
    )
    return ["", text]


if __name__ == "__main__":
    main()
