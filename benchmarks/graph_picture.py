"""Figure 9 of the first paper: LeNet-5 before and after its conversion. ``python -m benchmarks.graph_picture OUT.png``

As Netron draws models: a box for each node, with the shapes of what it holds, from top to bottom.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np
import onnx_ir as ir
from matplotlib.figure import Figure

from converter import convert, load_ann
from converter.graph.build import constant_of
from snn_ops.format import DOMAIN

COLOURS = {"Conv": "#33558b", "Gemm": "#33558b", "MatMul": "#33558b", "AveragePool": "#33553c", "Reshape": "#6c4f47"}
NEURON, OTHER = "#9b2226", "#444444"
_SIZE = 7


def main() -> None:
    data = resources.files("converter.demo") / "data"
    with np.load(str(data / "mnist_calibration.npz")) as archive:
        x = archive["x"].astype(np.float32) / 255
    models = {}
    for activation, neuron in (("tanh", "lif"), ("relu", "if")):
        with resources.as_file(data / f"lenet5_{activation}.onnx") as path:
            models[f"trained ({activation})"] = load_ann(path).model
            models[f"converted ({neuron})"] = convert(path, x, neuron=neuron).model
    draw(models, Path(sys.argv[1]))


def draw(models: Mapping[str, ir.Model], path: Path) -> None:
    """Draws models whose graphs are chains."""
    longest = max(len(list(model.graph)) for model in models.values())
    figure = Figure(figsize=(3.2 * len(models), 0.42 * longest + 0.8))
    for index, (title, model) in enumerate(models.items()):
        axes = figure.add_subplot(1, len(models), index + 1)
        axes.set_axis_off()
        axes.set_title(title, fontsize=10)
        axes.set_xlim(0, 1)
        axes.set_ylim(-longest - 0.5, 0.7)
        for row, node in enumerate(model.graph):
            spiking = node.domain == DOMAIN or node.op_type in ("Relu", "Tanh", "Sigmoid")
            colour = NEURON if spiking else COLOURS.get(node.op_type, OTHER)
            axes.text(
                0.5, -row, _text(node), ha="center", va="center", color="white", fontsize=_SIZE, bbox=_box(colour)
            )
            if row:
                axes.annotate(
                    "", (0.5, -row + 0.28), (0.5, -row + 0.72), arrowprops={"arrowstyle": "->", "color": "#888888"}
                )
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _text(node: ir.Node) -> str:
    arrays = [constant_of(value) for value in node.inputs[1:]]
    shapes = ["x".join(map(str, a.shape)) for a in arrays if a is not None and a.size > 1 and a.dtype.kind == "f"]
    return f"{node.op_type}  {'  '.join(shapes)}".strip()


def _box(colour: str) -> dict[str, object]:
    return {"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "none"}


if __name__ == "__main__":
    main()
