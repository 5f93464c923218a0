"""Functions without a state: nodes with a Python function (tensors in NengoDL, when it trains)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.nengo.script import Script


def _with(function: str, **defaults: float) -> Callable[[ir.Node, Script], str]:
    def expression(node: ir.Node, script: Script) -> str:
        values = (node.attributes.get_float(name, default) for name, default in defaults.items())
        return f"{function}({', '.join(repr(float(value)) for value in values)})"

    return expression


def _plain(function: str) -> Callable[[ir.Node, Script], str]:
    return lambda node, script: function


def _clip(node: ir.Node, script: Script) -> str:
    bounds = [script.constant(v) if v is not None else None for v in [*node.inputs[1:], None, None][:2]]
    low, high = (bound if bound is None else float(bound.item()) for bound in bounds)
    return f"clip({-np.inf if low is None else low}, {np.inf if high is None else high})".replace("inf", "np.inf")


def _over_last_axis(function: str) -> Callable[[ir.Node, Script], str]:
    def expression(node: ir.Node, script: Script) -> str:
        assert node.inputs[0] is not None
        shape = script.shape(node.inputs[0])
        if len(shape) != 1:
            raise RefusedError(f"over one axis of {shape}; Nengo's counterpart takes vectors only")
        return function

    return expression


FUNCTIONS: dict[str, Callable[[ir.Node, Script], str]] = {
    "Relu": _plain("relu"),
    "Tanh": _plain("tanh"),
    "Sigmoid": _plain("sigmoid"),
    "LeakyRelu": _with("leaky_relu", alpha=0.01),
    "Elu": _with("elu", alpha=1.0),
    "Clip": _clip,
    "Softplus": _plain("softplus"),
    "HardSigmoid": _with("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": _plain("hard_swish"),
    "Gelu": _plain("gelu"),
    "Exp": _plain("exp"),
    "Softmax": _over_last_axis("softmax"),
    "LogSoftmax": _over_last_axis("log_softmax"),
}
"""op_type -> the expression in `converter.nengo.functions`."""


def function(node: ir.Node, script: Script) -> None:
    """y = f(x)."""
    if node.op_type == "Gelu" and node.attributes.get_string("approximate", "none") != "none":
        raise RefusedError("only the exact form is known")
    expression = FUNCTIONS[node.op_type](node, script)
    x = script.variable(node.inputs[0])
    name = script.declare(node.outputs[0])
    script.add(f"{name} = apply({name!r}, {expression}, [{x}], {script.size(node.outputs[0])})")
