"""What a stream of the delta code costs where little moves: ``python -m benchmarks.delta_streams [FOLDER]``.

A patch of a quarter of an image's width, cut from another image, moves over a still image, a pixel a frame, with noise of 0, 1
and 2 of 255. Frames go through a two-phase stream, one after the other. A row: synaptic operations of a frame as a share of a
fresh frame's, and the outputs' error, against the trained model's, over that of fresh frames. Images are CIFAR-10's, parts of
photographs, or digits, whose ground is empty: there a fresh frame costs little.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import datasets, zoo_data, zoo_samples
from benchmarks.machine import describe
from converter import SpikingModel, convert, load_ann
from converter.graph.run import start_quietly
from converter.measure.work_of_file import work_of_file
from converter.report.json_file import write_json
from snn_ops import Session

RESULTS = Path("benchmarks/results/delta/streams.json")
PICTURES = (
    "tiny_pretrainedResnet",
    "vnn21_cifar10_resnet_2b",
    "vnn21_marabou_cifar10_medium",
    "vnn21_oval_cifar_base_kw",
    "vnn23_vit_ibp_3_3_8_cifar",
    "mtcnn_pnet",
    "mtcnn_rnet",
    "vnn23_tinyyolo",
)
DIGITS = (
    "ccoltong_lenet",
    "mnist-8_cntk",
    "vnn20_mnist_tansig_200_50",
    "vnn21_mnist_sigmoid_6x200",
    "vnn21_mnistfc_256x4",
)
NOISE = (0, 1, 2)
FRAMES, IMAGES = 12, 6
CALIBRATION = 288
UNIT = 2**12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=zoo_data.models_folder())
    parser.add_argument("--exponent", type=int, default=6)
    parser.add_argument("--json", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    entries = zoo_data.entries(arguments.folder)
    rows: dict[str, Any] = {}
    for name in (*PICTURES, *DIGITS):
        rows[name] = measured(name, arguments.folder / entries[name]["file"], entries[name], arguments.exponent)
        print(f"{name:34}  {' | '.join(map(_shown, rows[name].values()))}", flush=True)
    results = {"machine": describe(), "exponent": arguments.exponent, "models": rows}
    write_json(results, arguments.json)
    print("\n".join(table(results)))


def measured(name: str, path: Path, entry: Mapping[str, Any], exponent: int) -> dict[str, dict[str, float]]:
    """By noise, the share of a fresh frame's synaptic operations, and the relative errors of the stream and of fresh frames."""
    ann = load_ann(path)
    if "dataset" in entry:
        data = datasets.load(entry["dataset"])
        seen, images = data.x_train[:CALIBRATION], data.x_test
        model_input = lambda x: zoo_data.model_input(x, dict(entry))  # noqa: E731
    else:
        picture = zoo_samples.PICTURES[name]
        seen, images = (
            zoo_samples.photographs(np.random.default_rng(seed), count, picture.height, picture.width)
            for seed, count in enumerate((CALIBRATION, 2 * IMAGES))
        )
        model_input = picture.model_input
    options: dict[str, Any] = {"code": "delta", "schedule": "two-phase", "streaming": True, "exponent": exponent}
    spiking = SpikingModel(path, convert(ann, model_input(seen), **options).proto())
    session, trained = Session(spiking.proto), start_quietly(ann.model)
    neurons = [node.name for node in spiking.proto.graph.node if node.op_type == "MultiThreshold"]
    result = {}
    for noise in NOISE:
        films = np.stack([moving(images, index, noise) for index in range(IMAGES)], axis=1)
        spent, fresh = ({name: np.zeros(()) for name in neurons} for _ in range(2))
        error = error_of_fresh = norm = 0.0
        stream, before = session.stream(), {name: np.zeros(()) for name in neurons}
        for number, film in enumerate(films):
            frames, alone = model_input(film), session.stream()
            found, wanted = stream.run(frames), alone.run(frames)
            after, of_alone = ({n: s.save()[f"{n}.sent"] for n in neurons} for s in (stream, alone))
            if number:
                for n in neurons:
                    spent[n] = spent[n] + spikes(after[n] - before[n]).sum(axis=0, keepdims=True)
                    fresh[n] = fresh[n] + spikes(of_alone[n]).sum(axis=0, keepdims=True)
                expected = trained.run(None, {ann.inputs[0].name: frames})
                error += _distance(found, expected)
                error_of_fresh += _distance(wanted, expected)
                norm += sum(float(np.sum(np.square(value))) for value in expected)
            before = after
        shapes = {spec.name: (1, *model_input(films[0]).shape[1:]) for spec in ann.input_specs}
        operations = [work_of_file(spiking, each, shapes, 1).synaptic_operations for each in (spent, fresh)]
        result[str(noise)] = {
            "share": operations[0] / operations[1],
            "error": float(np.sqrt(error / norm)),
            "fresh_error": float(np.sqrt(error_of_fresh / norm)),
        }
    return result


def _distance(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    return sum(float(np.sum((a - b) ** 2)) for a, b in zip(found, expected, strict=True))


def moving(images: np.ndarray, index: int, noise: int) -> np.ndarray:
    """Frames, uint8 ``[FRAMES, C, H, W]``."""
    rng = np.random.default_rng(index)
    still, other = images[index].astype(np.float64), images[index + IMAGES].astype(np.float64)
    size = still.shape[-1] // 4
    top = (still.shape[-2] - size) // 2
    frames = []
    for step in range(FRAMES):
        frame = still.copy()
        left = step % (still.shape[-1] - size)
        frame[:, top : top + size, left : left + size] = other[:, top : top + size, top : top + size]
        frames.append(np.clip(np.round(frame + rng.normal(0, noise, frame.shape)), 0, 255))
    return np.stack(frames).astype(np.uint8)


def spikes(change: np.ndarray) -> np.ndarray:
    """How many spikes make each change, in thresholds: as many as its non-adjacent form has digits other than 0."""
    whole = np.abs(np.round(np.asarray(change, np.float64) * UNIT)).astype(np.int64)
    digits = whole ^ (3 * whole)
    return np.asarray(sum(((digits >> bit) & 1) for bit in range(48)), float)


def table(results: Mapping[str, Any]) -> Iterator[str]:
    """The results as Markdown: share of a fresh frame's synaptic operations; error, and that of fresh frames, in %."""
    yield f"| model | {' | '.join(f'noise {noise}' for noise in NOISE)} |"
    yield "|---" * (len(NOISE) + 1) + "|"
    models = results["models"]
    for what, names in (("pictures", PICTURES), ("digits", DIGITS)):
        cells = {name: [models[name][str(noise)] for noise in NOISE] for name in names}
        yield from (f"| {name} | {' | '.join(map(_shown, row))} |" for name, row in cells.items())
        shares = [[cell["share"] for cell in of_noise] for of_noise in zip(*cells.values(), strict=True)]
        middle = (f"**{statistics.median(share):.2f}** ({max(share):.2f})" for share in shares)
        yield f"| **{what}: median (worst)** | {' | '.join(middle)} |"


def _shown(cell: Mapping[str, float]) -> str:
    return f"{cell['share']:.2f}; {100 * cell['error']:.2g} ({100 * cell['fresh_error']:.2g})"


if __name__ == "__main__":
    main()
