"""Add, Sub, Neg, Mul, Div and BatchNormalization: connections onto one value, and factors."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.nengo.script import Script, Shape


def add(node: ir.Node, script: Script) -> None:
    """The sum of all inputs; a constant one is a trainable bias."""
    _sum(node, script, [1] * len(node.inputs))


def sub(node: ir.Node, script: Script) -> None:
    """The difference of both inputs."""
    _sum(node, script, [1, -1])


def neg(node: ir.Node, script: Script) -> None:
    """-x."""
    _sum(node, script, [-1])


def mul(node: ir.Node, script: Script) -> None:
    """A constant factor, or the product of two signals, which is no connection but a function."""
    a, b = node.inputs
    assert a is not None and b is not None
    if script.is_signal(a) and script.is_signal(b):
        if script.shape(a) != script.shape(b):
            raise RefusedError(f"signals of the shapes {script.shape(a)} and {script.shape(b)} are not multiplied")
        name = script.declare(node.outputs[0])
        both = f"[{script.variable(a)}, {script.variable(b)}]"
        script.add(f"{name} = apply({name!r}, multiply, {both}, {script.size(node.outputs[0])})")
        return
    x, factor = (a, b) if script.is_signal(a) else (b, a)
    _scale(node, script, x, script.weights_of_one_sample(factor, script.shape(x)))


def div(node: ir.Node, script: Script) -> None:
    """By a constant."""
    x, divisor = node.inputs
    assert x is not None and divisor is not None
    if not script.is_signal(x) or script.is_signal(divisor):
        raise RefusedError("only a signal divided by a constant is a connection")
    _scale(node, script, x, f"1 / {script.weights_of_one_sample(divisor, script.shape(x))}.astype(float)")


def batch_normalization(node: ir.Node, script: Script) -> None:
    """y = (x - mean) scale / sqrt(var + epsilon) + bias."""
    x = node.inputs[0]
    assert x is not None
    scale, bias, mean, variance = (script.constant(value).astype(np.float64) for value in node.inputs[1:5])
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    factor = scale / np.sqrt(variance + epsilon)
    shape = script.shape(x)
    channels = (-1, *(1,) * (len(shape) - 1))
    _scale(node, script, x, script.array(f"{node.name}/factor", factor.reshape(channels)))
    offset = script.array(f"{node.name}/offset", (bias - mean * factor).reshape(channels))
    script.add(f"add_constant({script.variable(node.outputs[0])}, {offset}, {shape})")


def _scale(node: ir.Node, script: Script, x: ir.Value, factors: str) -> None:
    shape = script.shape(node.outputs[0])
    if shape != script.shape(x):
        raise RefusedError(f"its factor makes {shape} of {script.shape(x)}")
    name = script.declare(node.outputs[0])
    script.add(f"{name} = scaled({name!r}, {script.variable(x)}, spread({factors}, {shape}))")


def _sum(node: ir.Node, script: Script, signs: list[int]) -> None:
    y = script.declare_sum(node.outputs[0])
    for position, (x, sign) in enumerate(zip(node.inputs, signs, strict=True)):
        assert x is not None
        add_term(node, script, position, y, sign)


def add_term(node: ir.Node, script: Script, position: int, y: str, sign: int = 1) -> None:
    """Adds an input, broadcast to the shape of the output, to the variable y; a constant one is a trainable bias."""
    x, shape = node.inputs[position], script.shape(node.outputs[0])
    assert x is not None
    if not script.is_signal(x):
        _constant(script, x, y, shape, sign)
    elif script.shape(x) == shape:
        script.add(f"connect({script.variable(x)}, {y}{'' if sign == 1 else ', -1'})")
    elif sign != 1:
        raise RefusedError(f"signals of different shapes, {script.shape(x)} and {shape}, are not subtracted")
    else:
        index = np.broadcast_to(np.arange(script.size(x)).reshape(script.shape(x)), shape).ravel()
        script.add(f"move({script.variable(x)}, {y}, {script.array(f'{node.name}/index{position}', index)})")


def _constant(script: Script, x: ir.Value, y: str, shape: Shape, sign: int) -> None:
    original = script.constant(x).shape
    target = script.train(x, lambda nengo: sign * nengo.reshape(original))
    minus = "-" if sign < 0 else ""
    script.add(f"{target}add_constant({y}, {minus}{script.weights_of_one_sample(x, shape)}, {shape})")
