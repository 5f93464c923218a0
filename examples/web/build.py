"""Builds the page into examples/web/dist: static files, and all that they need.

    cd examples/web && npm ci && cd ../..
    python examples/web/build.py
    python -m http.server --directory examples/web/dist

The models come out of ``onnx-snn convert`` and ``onnx-snn inspect --json`` as they are. `network.json` says what a file does
not: what its layers are called on the page, and how many additions a spike causes.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from converter import load_ann
from converter.demo import demo_samples
from converter.measure.fan_out import fan_out, is_layer
from snn_ops.ops import OPERATORS

HERE = Path(__file__).parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web"
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
STREAM = ("--streaming", "--explicit-inputs")
RATE = ("--code", "rate", "--readout", "leaky")
NETWORKS: dict[str, dict[str, Any]] = {
    "delta": {
        "title": "as changes (delta code)",
        "options": STREAM,
        "samples": 256,
        "layers": ["Image", "First pooling", "Second pooling", "First dense layer", "Second dense layer"],
        "note": "Each spike is a change. An image that stands still costs nothing after some steps.",
    },
    "if": {
        "title": "as their mean (IF neurons)",
        "options": (*STREAM, *RATE, "--neuron", "if"),
        "samples": 256,
        "layers": ["First convolution", "Second convolution", "First dense layer", "Second dense layer"],
        "note": "Neurons fire for as long as the image stands. The first layer takes it as numbers, {analog} multiply-adds.",
    },
    "lif": {
        "title": "as their mean (LIF neurons)",
        "options": (*STREAM, *RATE, "--neuron", "lif"),
        "samples": 64,
        "layers": ["First convolution", "Second convolution", "First dense layer", "Second dense layer"],
        "note": "Leaky neurons, fitted to activations. The first layer takes the image as numbers, {analog} multiply-adds.",
    },
}
DIGITS = (10, 25, 2, 5, 1, 35, 18, 30, 4, 6, 8, 23, 21, 22, 17, 26, 84, 110, 7, 12)
"""Test images, two of each digit, of those in which no voltage comes so near to a threshold that the last digits of a sum
decide about a spike: processors add in different orders."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "dist", help="default: examples/web/dist")
    out: Path = parser.parse_args().out
    missing = [name for name in RUNTIME_FILES if not (RUNTIME / "dist" / name).exists()]
    if missing:
        parser.exit(1, f"{RUNTIME} has no {missing[0]}: run `npm ci` in {HERE}\n")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="dist.") as folder:
        build(Path(folder) / "dist")
        if out.exists():
            shutil.rmtree(out)
        (Path(folder) / "dist").rename(out)
    print(f"{out}: {sum(path.stat().st_size for path in out.rglob('*')) / 1e6:.1f} MB")


def build(out: Path) -> None:
    shutil.copytree(HERE / "src", out)
    for folder in ("ort", "models"):
        (out / folder).mkdir()
    for name in RUNTIME_FILES:
        shutil.copyfile(RUNTIME / "dist" / name, out / "ort" / name)
    with resources.as_file(resources.files("converter.demo") / "data" / "lenet5_relu.onnx") as trained:
        inputs = load_ann(trained).input_specs
        calibration = demo_samples("calibration", inputs)
        with ThreadPoolExecutor(2) as pool:  # each waits for a process
            entries = pool.map(lambda name: convert(name, trained, calibration.feed, out / "models"), NETWORKS)
            about = dict(zip(NETWORKS, entries, strict=True))
    write(out / "network.json", {"networks": about})
    test = demo_samples("test", inputs)
    (images,) = test.feed.values()
    assert test.labels is not None
    pixels = np.rint(255 * images[list(DIGITS)]).astype(np.uint8)
    digits = {"labels": test.labels[list(DIGITS)].tolist(), "pixels": base64.b64encode(pixels.tobytes()).decode()}
    write(out / "digits.json", digits)


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")))


def convert(name: str, trained: Path, images: dict[str, np.ndarray], folder: Path) -> dict[str, Any]:
    """Writes a network's file and what `inspect` says of it -> its entry in network.json."""
    network, path, info = NETWORKS[name], folder / f"{name}.snn.onnx", folder / f"{name}.json"
    with tempfile.TemporaryDirectory() as scratch:
        calibration = Path(scratch) / "calibration.npz"
        np.savez(calibration, **{key: values[: network["samples"]] for key, values in images.items()})
        run("convert", trained, "--calibration", calibration, *network["options"], "-o", path)
    run("inspect", path, "--json", info)
    work, (layers, input_name, scores) = json.loads(info.read_text())["work"], read(path)
    return {
        "title": network["title"],
        "note": network["note"].format(analog=f"{work['analog']:,}"),
        "model": f"models/{path.name}",
        "info": f"models/{info.name}",
        "input": input_name,
        "scores": scores,
        "multiplyAdds": work["multiply_adds"],
        "layers": [{"label": label, **layer} for label, layer in zip(network["layers"], layers, strict=True)],
    }


def run(*arguments: object) -> None:
    """The command onnx-snn, quiet unless it fails."""
    done = subprocess.run([sys.executable, "-m", "converter.cli", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"onnx-snn {arguments[0]}: {done.stderr}")


def read(path: Path) -> tuple[list[dict[str, Any]], str, str]:
    """A spiking file's layers for the page, and the names of its input and of its scores."""
    model = ir.load(path)
    neurons = [node for node in model.graph if node.domain == "onnx_snn" and OPERATORS[node.op_type].height]
    layers = []
    for node in neurons:
        is_delta = OPERATORS[node.op_type].code == "delta"
        where = {"state": f"{node.name}.sent"} if is_delta else {"output": node.outputs[0].name}
        shape = shape_of(node.outputs[0])
        layers.append({"neurons": math.prod(shape), "fanOut": additions(node.outputs[0]), **where})
    return layers, str(model.graph.inputs[0].name), str(model.graph.outputs[0].name)


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The shape, for one sample in one step."""
    assert value.shape is not None, value.name
    return tuple(length if isinstance(length, int) else 1 for length in value.shape.dims)


def additions(spikes: ir.Value) -> list[int]:
    """How many additions a spike of each neuron causes in the layer that it reaches; one number where all cause as many."""
    (node,) = {use.node for use in spikes.uses()}
    if node.op_type == "LeakyMean":  # a mean goes on, no spikes
        return [0]
    if not is_layer(node):
        behind = additions(node.outputs[0])
        if node.op_type != "AveragePool" or len(behind) == 1:
            return behind
        sides = node.attributes["kernel_shape"].as_ints()
        pooled = np.reshape(behind, shape_of(node.outputs[0]))
        return np.repeat(np.repeat(pooled, sides[0], axis=2), sides[1], axis=3).astype(int).ravel().tolist()
    each = fan_out(node, 0, shape_of)
    if each.size == 1:
        return [int(each)]
    return np.broadcast_to(each, shape_of(spikes)).astype(int).ravel().tolist()


if __name__ == "__main__":
    main()
