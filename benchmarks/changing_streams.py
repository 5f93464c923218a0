"""Streams whose input changes: digits one after the other without a reset, ``python -m benchmarks.changing_streams``.

The embedded LeNet-5s, made from 256 training images, on MNIST's test images (`tools/fetch_datasets.sh`): 20 digits a stream,
8 steps each. "alone" is the same file with a new stream for each digit. Lengths of readouts are fitted on training images;
nothing here is fitted on test digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from benchmarks import datasets
from benchmarks.machine import describe
from converter import Options, convert, load_ann
from snn_ops import Session

STEPS, DIGITS, STREAMS = 8, 20, 200


@dataclass(frozen=True)
class Way:
    """A conversion."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


WAYS = (
    Way("default"),
    *(
        Way(f"{neuron}, {readout}", {"code": "rate", "neuron": neuron, "readout": readout, "n_steps": STEPS})
        for neuron in ("lif", "if", "if-burst")
        for readout in ("mean", "leaky", "window")
    ),
)


@dataclass(frozen=True)
class Right:
    """Shares of digits that were right: after the first of a stream, and alone."""

    in_stream: float
    alone: float
    readout_steps: int


def measure(activation: str, way: Way, images: np.ndarray, labels: np.ndarray, calibration: np.ndarray) -> Right:
    """Converts and runs.

    Args:
        activation: "relu" or "tanh".
        way: how.
        images: ``[digits, streams, 1, 28, 28]``.
        labels: ``[digits, streams]``.
        calibration: training images.
    """
    with resources.as_file(resources.files("converter.demo") / "data" / f"lenet5_{activation}.onnx") as path:
        conversion = convert(load_ann(path), calibration, options=Options(streaming=True, **way.options))
    session = Session(conversion.proto())
    (in_stream,) = session.run_sequence(images, n_steps=STEPS)
    (alone,) = session.run(images.reshape(-1, *images.shape[2:]), n_steps=STEPS)
    right = in_stream.argmax(-1) == labels
    return Right(
        float(right[1:].mean()),
        float((alone.argmax(-1) == labels.reshape(-1)).mean()),
        int(conversion.model.metadata_props.get("onnx_snn.readout_steps", 0)),
    )


def sequences(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first images as ``[digits, streams, ...]``, and their labels."""
    count = len(images) // DIGITS
    x = images[: count * DIGITS].astype(np.float32).reshape(count, DIGITS, *images.shape[1:]).swapaxes(0, 1) / 255
    return x, labels[: count * DIGITS].reshape(count, DIGITS).T


def main() -> None:
    data = datasets.load("mnist")
    x, y = sequences(data.x_test[: STREAMS * DIGITS], data.y_test)
    calibration = data.x_train[:256].astype(np.float32) / 255
    print(describe())
    print(f"{x.shape[1]} streams of {DIGITS} digits, {STEPS} steps each, right from the second digit on")
    print("| activation | code, neuron and readout | steps it looks back | in the stream | each digit alone |")
    print("|---|---|---|---|---|")
    for activation in ("relu", "tanh"):
        for way in WAYS:
            right = measure(activation, way, x, y, calibration)
            print(
                f"| {activation} | {way.name} | {right.readout_steps or '-'} | {right.in_stream:.1%} | {right.alone:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
