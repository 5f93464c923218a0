"""Gemm and MatMul: a dense transform."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.nengo.handlers.arithmetic import add_term
from converter.nengo.script import Script


def gemm(node: ir.Node, script: Script) -> None:
    """y = alpha x W + beta b."""
    x, kernel = node.inputs[:2]
    assert x is not None and kernel is not None
    attributes = node.attributes
    if attributes.get_int("transA", 0) or not script.is_signal(x) or script.is_signal(kernel):
        raise RefusedError("only a signal times a constant matrix is a connection")
    y = script.declare_sum(node.outputs[0])
    transposed = bool(attributes.get_int("transB", 0))
    product = _scaled(node, script, y, "product", attributes.get_float("alpha", 1.0))
    target = script.train(kernel, np.asarray if transposed else np.transpose)
    matrix = f"{script.weights(kernel)}{'' if transposed else '.T'}"
    script.add(f"{target}connect({script.variable(x)}, {product}, {matrix})")
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        add_term(node, script, 2, _scaled(node, script, y, "bias", attributes.get_float("beta", 1.0)))


def _scaled(node: ir.Node, script: Script, y: str, term: str, factor: float) -> str:
    """The variable that takes a term of y. Its factor follows, so that weights stay as the initialisers have them."""
    if factor == 1:
        return y
    name = script.new_name(f"{y}_{term}")
    script.add(f"{name} = value({name!r}, {script.size(node.outputs[0])})")
    script.add(f"connect({name}, {y}, {factor!r})")
    return name


def matmul(node: ir.Node, script: Script) -> None:
    """y = x W; over more axes the matrix is the same at every position: a convolution of width 1."""
    x, kernel = node.inputs[:2]
    assert x is not None and kernel is not None
    if not script.is_signal(x) or script.is_signal(kernel) or script.constant(kernel).ndim != 2:
        raise RefusedError("only a signal times a constant matrix is a connection")
    y = script.declare_sum(node.outputs[0])
    shape = script.shape(x)
    positions = int(np.prod(shape[:-1], dtype=int))
    if positions == 1:
        target = script.train(kernel, np.transpose)
        script.add(f"{target}connect({script.variable(x)}, {y}, {script.weights(kernel)}.T)")
        return
    target = script.train(kernel, lambda nengo: nengo[0])
    script.add(
        f"{target}connect({script.variable(x)}, {y}, nengo.Convolution({script.shape(node.outputs[0])[-1]}, "
        f"{(positions, shape[-1])}, (1,), (1,), init={script.weights(kernel)}[None]))"
    )
