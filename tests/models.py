"""Small trained models for tests, written as ONNX text; their weights are drawn from a seed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser

from converter.conversion.main import convert
from converter.conversion.result import Conversion

HEADER = '<ir_version: 8, opset_import: ["" : {opset}]>'


def text_model(
    text: str, *, opset: int = 17, seed: int = 0, scale: float = 0.5, **arrays: np.ndarray
) -> onnx.ModelProto:
    """Parses a graph. Names in capital letters, such as ``float[3,4] W``, listed in angle brackets after the signature,
    become initialisers with random numbers unless given in `arrays`."""
    rng = np.random.default_rng(seed)
    declared = re.search(r"<([^<>]*)>\s*\{", text)
    initializers = []
    if declared:
        for kind, dims, name in re.findall(r"(float16|float|double|int64)\[([\d, ]*)\]\s+(\w+)", declared.group(1)):
            shape = [int(d) for d in dims.split(",") if d.strip()]
            array = arrays.get(name)
            if array is None:
                array = rng.normal(0, scale, shape)
            element = {"float": np.float32, "double": np.float64, "float16": np.float16, "int64": np.int64}[kind]
            initializers.append(onnx.numpy_helper.from_array(np.asarray(array, element).reshape(shape), name))
        text = text[: declared.start()] + "{" + text[declared.end() :]
    model = onnx.parser.parse_model(HEADER.format(opset=opset) + text)
    model.graph.initializer.extend(initializers)
    return model


def mlp(activation: str = "Relu", *, batch: str = "N", opset: int = 17) -> onnx.ModelProto:
    """8 -> 16 -> 12 -> 4, two activations."""
    return text_model(
        f"""
        mlp (float[{batch},8] x) => (float[{batch},4] y)
        <float[8,16] W1, float[16] B1, float[16,12] W2, float[12] B2, float[12,4] W3, float[4] B3>
        {{
          h1 = Gemm(x, W1, B1)
          [first] a1 = {activation}(h1)
          h2 = Gemm(a1, W2, B2)
          [second] a2 = {activation}(h2)
          y = Gemm(a2, W3, B3)
        }}
        """,
        opset=opset,
    )


def scaled_gemms(bias: str = "float[1,4] C") -> onnx.ModelProto:
    """8 -> 16 -> 4 with alpha and beta other than 1; `bias` of the last Gemm may have any shape."""
    return text_model(
        f"""
        scaled_gemms (float[N,8] x) => (float[N,4] y)
        <float[16,8] W, float[16] B, float[16,4] V, {bias}>
        {{
          h = Gemm<alpha = 0.3, beta = -2.0, transB = 1>(x, W, B)
          [first] a = Relu(h)
          y = Gemm<alpha = 1.7, beta = 0.1>(a, V, C)
        }}
        """
    )


def convnet() -> onnx.ModelProto:
    """Two convolutions, BatchNormalization, a shortcut, both poolings, Concat, Softmax; fixed batch of 1."""
    rng = np.random.default_rng(7)
    positive = rng.uniform(0.5, 1.5, 6)
    return text_model(
        """
        convnet (float[1,2,8,8] x) => (float[1,5] y)
        <float[6,2,3,3] W1, float[6] G1, float[6] B1, float[6] M1, float[6] V1, float[6,6,3,3] W2, float[6] C2,
         float[192,5] W3, float[5] B3, int64[2] S>
        {
          c1 = Conv<pads = [1, 1, 1, 1]>(x, W1)
          n1 = BatchNormalization(c1, G1, B1, M1, V1)
          [first] a1 = Relu(n1)
          c2 = Conv<pads = [1, 1, 1, 1]>(a1, W2, C2)
          s2 = Add(c2, n1)
          [second] a2 = Relu(s2)
          p1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a2)
          p2 = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(a2)
          j = Concat<axis = 1>(p1, p2)
          f = Reshape(j, S)
          h = MatMul(f, W3)
          z = Add(h, B3)
          y = Softmax<axis = 1>(z)
        }
        """,
        scale=0.3,
        V1=positive,
        G1=positive[::-1],
        S=np.asarray([1, 192]),
    )


def samples(model: onnx.ModelProto, count: int = 64, seed: int = 1) -> np.ndarray:
    """Random samples for a model of one input."""
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    return np.random.default_rng(seed).uniform(-1, 1, (count, *dims)).astype(np.float32)


def save(model: onnx.ModelProto, path) -> str:
    onnx.save(model, path)
    return str(path)


def batchnorm_net() -> onnx.ModelProto:
    """BatchNormalization behind activations, in images and in vectors, LogSoftmax at the end; fixed batch of 1."""
    rng = np.random.default_rng(3)
    sizes = {"1": 4, "2": 6, "3": 10}
    scales = {f"{kind}{i}": rng.uniform(0.5, 1.5, n) for i, n in sizes.items() for kind in "GV"}
    return text_model(
        """
        batchnorm_net (float[1,1,8,8] x) => (float[1,5] y)
        <float[4,1,3,3] W1, float[4] G1, float[4] B1, float[4] M1, float[4] V1, float[6,4,3,3] W2, float[6] G2,
         float[6] B2, float[6] M2, float[6] V2, float[96,10] W3, float[10] C3, float[10] G3, float[10] B3,
         float[10] M3, float[10] V3, float[10,5] W4, int64[2] S>
        {
          c1 = Conv(x, W1)
          a1 = Relu(c1)
          n1 = BatchNormalization(a1, G1, B1, M1, V1)
          c2 = Conv(n1, W2)
          n2 = BatchNormalization(c2, G2, B2, M2, V2)
          a2 = Relu(n2)
          f = Reshape(a2, S)
          g3 = Gemm(f, W3, C3)
          a3 = Relu(g3)
          n3 = BatchNormalization(a3, G3, B3, M3, V3)
          h = MatMul(n3, W4)
          y = LogSoftmax<axis = 1>(h)
        }
        """,
        scale=0.3,
        S=np.asarray([1, 96]),
        **scales,
    )


def convert_model(model: onnx.ModelProto, tmp_path: Path, **options: Any) -> tuple[Conversion, onnx.ModelProto]:
    """Converts with random samples, to the rate code unless options say otherwise, and reads the file back."""
    path = save(model, tmp_path / "m.onnx")
    conversion = convert(path, samples(model), **{"code": "rate", **options})
    conversion.save(tmp_path / "m.snn.onnx")
    return conversion, onnx.load(tmp_path / "m.snn.onnx")


def types(model: onnx.ModelProto) -> list[str]:
    """The operators in the order of the graph."""
    return [node.op_type for node in model.graph.node]


def initializer(model: onnx.ModelProto, name: str) -> np.ndarray:
    """An initialiser's numbers."""
    return next(onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)
