"""What a stream of the delta code costs where little moves: ``python -m benchmarks.delta_streams [FOLDER]``.

A patch of a quarter of an image's width, cut from another image, moves over a still image, a pixel a frame, with noise of 0, 1
and 2 of 255. Frames go through a two-phase stream, one after the other. A row: synaptic operations of a frame as a share of a
fresh frame's (a spike counts its layer's mean fan-out in both), and the outputs' error, against the trained model's, over that
of fresh frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks import datasets, zoo_data
from benchmarks.machine import describe
from converter import convert, load_ann
from converter.conversion.result import Conversion
from converter.graph.run import start_quietly
from snn_ops import Session

MODELS = (
    "ccoltong_lenet",
    "mnist-8_cntk",
    "vnn20_mnist_tansig_200_50",
    "vnn21_cifar10_resnet_2b",
    "vnn21_marabou_cifar10_medium",
    "vnn21_mnist_sigmoid_6x200",
    "vnn21_mnistfc_256x4",
    "vnn21_oval_cifar_base_kw",
)
NOISE = (0, 1, 2)
FRAMES, IMAGES = 12, 6
UNIT = 2**12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=zoo_data.models_folder())
    parser.add_argument("--exponent", type=int, default=6)
    arguments = parser.parse_args()
    print(describe())
    entries = zoo_data.entries(arguments.folder)
    print(f"{'model':34}" + "".join(f"  noise {noise}: share, error" for noise in NOISE))
    for name in MODELS:
        entry = entries[name]
        cells = [measured(arguments.folder / entry["file"], entry, noise, arguments.exponent) for noise in NOISE]
        print(f"{name:34}" + "".join(f"  {share:15.2f} {error:6.2f}" for share, error in cells), flush=True)


def measured(path: Path, entry: dict[str, Any], noise: int, exponent: int) -> tuple[float, float]:
    """The share of a fresh frame's synaptic operations, and the error over that of fresh frames."""
    data = datasets.load(entry["dataset"])
    ann = load_ann(path)
    calibration = zoo_data.model_input(data.x_train[:256], entry)
    conversion = convert(ann, calibration, code="delta", schedule="two-phase", streaming=True, exponent=exponent)
    session, trained = Session(conversion.proto()), start_quietly(ann.model)
    fan_outs = mean_fan_outs(conversion)
    spent = fresh = error = error_of_fresh = 0.0
    for index in range(IMAGES):
        frames = zoo_data.model_input(moving(data.x_test, index, noise), entry)
        (expected,) = trained.run(None, {ann.inputs[0].name: frames})
        stream, before = session.stream(), {name: np.zeros(()) for name in fan_outs}
        for number, frame in enumerate(frames):
            alone = session.stream()
            found, wanted = stream.run(frame[None])[0], alone.run(frame[None])[0]
            after, of_alone = ({n: s.save()[f"{n}.sent"] for n in fan_outs} for s in (stream, alone))
            if number:
                spent += sum(f * spikes(after[n] - before[n]) for n, f in fan_outs.items())
                fresh += sum(f * spikes(of_alone[n]) for n, f in fan_outs.items())
                error += float(np.sum((found - expected[number]) ** 2))
                error_of_fresh += float(np.sum((wanted - expected[number]) ** 2))
            before = after
    return spent / fresh, float(np.sqrt(error / max(error_of_fresh, 1e-30)))


def moving(images: np.ndarray, index: int, noise: int) -> np.ndarray:
    """Frames, uint8 ``[FRAMES, C, H, W]``."""
    rng = np.random.default_rng(index)
    still, other = images[index].astype(np.float64), images[index + 100].astype(np.float64)
    size = still.shape[-1] // 4
    top = (still.shape[-2] - size) // 2
    frames = []
    for step in range(FRAMES):
        frame = still.copy()
        left = step % (still.shape[-1] - size)
        frame[:, top : top + size, left : left + size] = other[:, top : top + size, top : top + size]
        frames.append(np.clip(np.round(frame + rng.normal(0, noise, frame.shape)), 0, 255))
    return np.stack(frames).astype(np.uint8)


def spikes(change: np.ndarray) -> int:
    """How many spikes make a change, in thresholds: as many as its non-adjacent form has digits other than 0."""
    whole = np.abs(np.round(np.asarray(change, np.float64) * UNIT)).astype(np.int64)
    digits = whole ^ (3 * whole)
    return int(sum(((digits >> bit) & 1).sum() for bit in range(48)))


def mean_fan_outs(conversion: Conversion) -> dict[str, float]:
    """Multiply-adds behind a neuron's value for each of its elements, by the neuron's name."""
    work = {layer.name: layer.multiply_adds for layer in conversion.work.layers}
    model = onnx.shape_inference.infer_shapes(conversion.proto())
    sizes = {
        value.name: int(np.prod([d.dim_value for d in value.type.tensor_type.shape.dim[1:]]))
        for value in (*model.graph.value_info, *model.graph.input)
    }
    behind: dict[str, list[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            behind.setdefault(name, []).append(node.name)
    return {
        node.name: sum(work.get(user, 0) for user in behind.get(node.output[0], [])) / max(1, sizes[node.input[0]])
        for node in model.graph.node
        if node.op_type == "MultiThreshold"
    }


if __name__ == "__main__":
    main()
