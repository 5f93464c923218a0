"""How fast this machine multiplies and copies, measured through ONNX Runtime: the floor under a layer's time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from converter.bench.events import calls_of, profiled
from converter.bench.runs import Place

_RUNS = 20
_FLOAT = TensorProto.FLOAT
_COPIES = tuple(1 << power for power in range(14, 28, 2))
"""Bytes read and written by one node: in the first cache, ..., in none."""


@dataclass(frozen=True)
class Rates:
    """What ONNX Runtime reaches here, the best of several runs.

    Attributes:
        multiply_adds: in a second, float32, by what was computed: a Gemm, Conv of 3 x 3.
        copies: bytes read and written in a second, by how many bytes a node read and wrote.
    """

    multiply_adds: Mapping[str, float]
    copies: Mapping[int, float]

    def floor(self, multiply_adds: float, bytes_moved: float) -> float:
        """Seconds that so many multiply-adds, or so many bytes of a node, take at least: whichever takes longer."""
        moving = bytes_moved / self._copy_rate(bytes_moved) if bytes_moved else 0.0
        return max(multiply_adds / max(self.multiply_adds.values()), moving)

    def _copy_rate(self, bytes_moved: float) -> float:
        """That of the nearest size."""
        return self.copies[min(self.copies, key=lambda size: abs(math.log(size / bytes_moved)))]


def measure_rates(threads: int | None) -> Rates:
    """Takes about a second."""
    products = {
        "Gemm 256 x 512 x 512": (_gemm(256, 512, 512), 256 * 512 * 512),
        "Conv 3 x 3, 64 to 64 channels, 8 x 28 x 28": (_conv(8, 64, 28), 8 * 28 * 28 * 64 * 64 * 9),
        "Conv 3 x 3, 16 to 16 channels, 64 x 28 x 28": (_conv(64, 16, 28), 64 * 28 * 28 * 16 * 16 * 9),
    }
    return Rates(
        {name: count / _fastest(model, threads) for name, (model, count) in products.items()},
        {size: size / _fastest(_copy(size // 2), threads) for size in _COPIES},
    )


def _fastest(model: onnx.ModelProto, threads: int | None) -> float:
    """The shortest time of one of its nodes that compute: those of the model, not ONNX Runtime's reorders."""
    (value,) = model.graph.input
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    feed = {value.name: np.random.default_rng(0).random(shape, np.float32)}
    with profiled(model, Place(backend="functions", threads=threads)) as session:
        for _ in range(_RUNS):
            session.ort.run(None, feed)
        calls = calls_of(session, _RUNS)
    op_types = {node.op_type for node in model.graph.node}
    return min(event.seconds for call in calls for event in call.nodes if event.op_type in op_types)


def _gemm(rows: int, inputs: int, outputs: int) -> onnx.ModelProto:
    weights = np.full((inputs, outputs), 0.5, np.float32)
    return _model([helper.make_node("Gemm", ["x", "w"], ["y"])], [rows, inputs], {"w": weights}, ["y"])


def _conv(samples: int, channels: int, width: int) -> onnx.ModelProto:
    weights = np.full((channels, channels, 3, 3), 0.5, np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    return _model([node], [samples, channels, width, width], {"w": weights}, ["y"])


def _copy(numbers_bytes: int) -> onnx.ModelProto:
    """Nodes that read the same numbers, which stay, and write others: the simplest that ONNX Runtime runs on all threads."""
    names = ("Neg", "Abs", "Relu")
    nodes = [helper.make_node(name, ["x"], [f"y{name}"]) for name in names]
    return _model(nodes, [numbers_bytes // 4], {}, [node.output[0] for node in nodes])


def _model(
    nodes: list[onnx.NodeProto], shape: list[int], weights: Mapping[str, np.ndarray], outputs: list[str]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "rate",
        [helper.make_tensor_value_info("x", _FLOAT, shape)],
        [helper.make_tensor_value_info(name, _FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
