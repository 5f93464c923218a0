"""Accuracy of SpikingJelly's ann2snn on models of a zoo folder: ``python -m benchmarks.spikingjelly_accuracy [FOLDER]``.

Needs the extra ``compare``. Calibration and test images are those of `benchmarks.zoo`. Every recipe is first tried on
some test images; "max", "99.9%", the one that did best there and signed neurons then run on all. Each run is one simulation;
the figure at T comes from the mean output of its first T steps (delayed readout: of the steps from the estimated start to T).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from spikingjelly.activation_based import ann2snn, functional
from spikingjelly.logger import logger
from torch import nn

from benchmarks import onnx_to_torch, zoo_data
from benchmarks.accuracy.spikingjelly import OWN_NEURON, balanced
from benchmarks.accuracy.spikingjelly import RECIPES as IN_THE_BENCHMARK
from benchmarks.machine import describe
from benchmarks.zoo import samples_for
from converter import load_ann
from converter.io.samples import Samples
from converter.normalise.ann import Ann
from converter.report.json_file import write_json

MODELS = (
    "vnn21_mnistfc_256x4",
    "ccoltong_lenet",
    "vnn21_marabou_cifar10_medium",
    "vnn21_oval_cifar_base_kw",
    "vnn21_cifar10_resnet_2b",
    "tiny_pretrainedResnet",
)
BATCH = 200
RECIPES = IN_THE_BENCHMARK | {"LTB, 64 passes": partial(balanced, passes=64)}
ALWAYS = ("max", "99.9%", OWN_NEURON)
DELAYED = ", delayed readout"


def main() -> None:
    arguments = _arguments()
    logger.disable("spikingjelly")
    warnings.simplefilter("ignore", RuntimeWarning)  # estimate_delay_start: too few steps for a delay
    torch.set_num_threads(arguments.threads)
    machine = f"{describe()}, PyTorch {torch.__version__}, SpikingJelly {version('spikingjelly')}"
    print(machine)
    results = []
    for name in arguments.models.split(","):
        results.append(compare(name, arguments))
        if arguments.json:
            write_json({"machine": machine, "steps": arguments.steps, "models": results}, arguments.json)
        if arguments.markdown:
            arguments.markdown.write_text("\n".join(table(results, arguments.steps)) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=zoo_data.models_folder())
    parser.add_argument("--models", default=",".join(MODELS), help="their names, separated by commas")
    parser.add_argument("--steps", type=lambda text: [int(t) for t in text.split(",")], default=[4, 8, 16, 32])
    parser.add_argument("--calibration", type=int, default=256, help="calibration images")
    parser.add_argument("--screen", type=int, default=500, help="test images that every recipe is tried on")
    parser.add_argument("--samples", type=int, default=10_000, help="test images for the recipes in the result")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def compare(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One model: every recipe on the first images, the chosen ones on all."""
    entry = zoo_data.entries(arguments.folder)[name]
    ann = load_ann(arguments.folder / entry["file"])
    calibration, test = samples_for(ann, entry, arguments)
    images, labels = _image_tensor(test), torch.from_numpy(test.labels)
    network = onnx_to_torch.load(arguments.folder / entry["file"])
    difference = largest_difference(ann, network, images)
    trained = _correct(_outputs(network, images), labels)
    print(
        f"{name}: trained {trained:.2%}, outputs differ from the ONNX file's by {difference:.1e} of the largest",
        flush=True,
    )

    screened: dict[str, dict[int, float]] = {}
    for recipe in RECIPES:
        screened |= _run(recipe, _image_tensor(calibration), network, images, labels, arguments.screen, arguments.steps)
    shipped = [recipe for recipe in screened if not recipe.startswith(OWN_NEURON)]
    best = max(shipped, key=lambda recipe: sum(screened[recipe].values())).removesuffix(DELAYED)
    final: dict[str, dict[int, float]] = {}
    for recipe in dict.fromkeys((*ALWAYS, best)):
        final |= _run(recipe, _image_tensor(calibration), network, images, labels, len(images), arguments.steps)
    best = max(best, best + DELAYED, key=lambda recipe: sum(final[recipe].values()))
    return {
        "model": name,
        "images": len(images),
        "trained": trained,
        "difference": difference,
        "best": best,
        "screened": screened,
        "accuracy": {recipe: final[recipe] for recipe in dict.fromkeys((*ALWAYS, best))},
    }


def _image_tensor(samples: Samples) -> torch.Tensor:
    (images,) = samples.feed.values()
    return torch.from_numpy(images)


def largest_difference(ann: Ann, network: nn.Module, images: torch.Tensor) -> float:
    """Between outputs of the ONNX file (before a Softmax at its end) and of `network`, as a share of the largest one."""
    model = onnx.ModelProto()
    model.CopyFrom(ann.source)
    last = model.graph.node[-1]
    logits = last.input[0] if last.op_type == "Softmax" else model.graph.output[0].name
    if logits != model.graph.output[0].name:
        model.graph.output.append(onnx.ValueInfoProto(name=logits))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batches = images.split(ann.batch or 1)[:8]
    expected = np.concatenate([session.run([logits], {name: batch.numpy()})[0] for batch in batches])
    return float(np.abs(_outputs(network, torch.cat(batches)).numpy() - expected).max() / np.abs(expected).max())


def _run(
    recipe: str,
    calibration: torch.Tensor,
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    count: int,
    steps: list[int],
) -> dict[str, dict[int, float]]:
    """Accuracy at each number of steps, of all outputs and with delayed readout; nothing where the recipe refuses."""
    start = time.perf_counter()
    try:
        spiking = ann2snn.Converter(RECIPES[recipe](calibration)).convert(network)
    except ValueError as error:
        print(f"  {recipe:48} refused: {error}", flush=True)
        return {}
    delays = {t: ann2snn.estimate_delay_start(spiking, [calibration], "cpu", t) for t in steps}
    sums = torch.cat([_running_sum(spiking, batch, max(steps)) for batch in images[:count].split(BATCH)], dim=1)
    plain = {t: _correct(sums[t], labels) for t in steps}
    delayed = {t: _correct(sums[t] - sums[delays[t]], labels) for t in steps}
    results = {recipe: plain, recipe + DELAYED: delayed}
    for name, figures in results.items():
        texts = " ".join(f"{figures[t]:7.2%}" for t in steps)
        print(f"  {name:48} {count:6} images {texts}   {time.perf_counter() - start:.0f} s", flush=True)
    return results


@torch.no_grad()
def _running_sum(spiking: nn.Module, images: torch.Tensor, n_steps: int) -> torch.Tensor:
    """Sum of the outputs of the first t steps, t = 0 ... n_steps: [n_steps + 1, N, classes]."""
    functional.reset_net(spiking)
    outputs = torch.stack([spiking(images) for _ in range(n_steps)])
    return torch.cat([torch.zeros_like(outputs[:1]), outputs.cumsum(0)])


@torch.no_grad()
def _outputs(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return torch.cat([network(batch) for batch in images.split(BATCH)])


def _correct(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    return float((outputs.argmax(-1) == labels[: len(outputs)]).double().mean())


def table(results: list[dict[str, Any]], steps: list[int]) -> Iterable[str]:
    """The points lost as Markdown."""
    yield f"| model | images | trained | recipe | {' | '.join(f'T={t}' for t in steps)} |"
    yield "|---" * (len(steps) + 4) + "|"
    for result in results:
        for recipe, accuracy in result["accuracy"].items():
            lost = " | ".join(f"{100 * (result['trained'] - accuracy[t]):.2f}" for t in steps)
            yield f"| {result['model']} | {result['images']} | {result['trained']:.2%} | {recipe} | {lost} |"


if __name__ == "__main__":
    main()
