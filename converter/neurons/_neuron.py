"""What a neuron is to the converter: how it takes an activation's place in a graph, and which numbers it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from converter.graph import constant
from converter.rules import Site
from snn_ops.ops import DOMAIN, OPERATORS, OPSET_VERSION


@dataclass(frozen=True)
class Placed:
    """A neuron in a graph.

    Attributes:
        node: of our operator.
        x: what the activation was applied to.
        constants: other numbers that calibration sets, by name.
    """

    node: ir.Node
    x: ir.Value
    constants: Mapping[str, ir.Value] = field(default_factory=dict)


class Neuron(ABC):
    """A kind of neuron.

    Attributes:
        name: as the command line and the rules call it.
        op_type: the operator in the graph.
    """

    name: ClassVar[str]
    op_type: ClassVar[str]

    @abstractmethod
    def insert(self, graph: ir.Graph, site: Site, n_steps: ir.Value) -> Placed:
        """Puts the neuron where the activation is; its numbers are placeholders until they are calibrated."""


def neuron_node(
    graph: ir.Graph,
    op_type: str,
    name: str,
    x: ir.Value,
    n_steps: ir.Value,
    operands: Mapping[str, np.ndarray],
    attributes: Mapping[str, float | int] | None = None,
) -> ir.Node:
    """A node of one of our operators, as the format wants it: every input passed, every attribute written, every output
    listed; final states nobody asked for have an empty name.

    Args:
        graph: receives the operands as initialisers `NAME_OPERAND`.
        op_type: the operator.
        name: the node's and its output's.
        x: the first input.
        n_steps: the number of steps.
        operands: parameters and initial states by their names in the operator's signature; a state left out is 0.
        attributes: those that differ from the operator's defaults.
    """
    operator = OPERATORS[op_type]
    element = np.dtype(np.float64 if x.dtype == ir.DataType.DOUBLE else np.float32)
    inputs: list[ir.Value | None] = [x, n_steps]
    for operand in operator.inputs[2:]:
        dtype = np.dtype(np.int64) if operand.type == "tensor(int64)" else element
        value = np.asarray(operands.get(operand.name, 0), dtype)
        inputs.append(constant(graph, f"{name}_{operand.name}", value))
    return ir.node(
        op_type,
        inputs,
        {**operator.defaults, **(attributes or {})},
        domain=DOMAIN,
        version=OPSET_VERSION,
        outputs=[ir.Value(name=f"{name}_{op_type}", type=x.type), *(ir.Value(name="") for _ in operator.outputs[1:])],
        name=name,
    )


def operand(node: ir.Node, name: str) -> ir.Value:
    """A node's input by its name in the operator's signature."""
    index = [tensor.name for tensor in OPERATORS[node.op_type].inputs].index(name)
    value = node.inputs[index]
    assert value is not None
    return value


def set_operand(node: ir.Node, name: str, array: np.ndarray) -> None:
    """Gives a parameter or an initial state of a neuron node its numbers."""
    set_constant(operand(node, name), array)


def set_constant(value: ir.Value, array: np.ndarray) -> None:
    """Replaces an initialiser's numbers."""
    assert value.dtype is not None
    value.const_value = ir.tensor(np.asarray(array, value.dtype.numpy()), name=value.name)
    value.shape = ir.Shape(array.shape)


def take_over(graph: ir.Graph, site: Site, new: list[ir.Node], result: ir.Value, *, keep_activation: bool) -> None:
    """Inserts `new` behind the activation; all users of the activation, and its name, go over to `result`."""
    last = site.nodes[-1]
    y = site.y
    uses = [(user, index) for user, index in y.uses() if user not in new]
    graph.insert_after(last, new)
    for user, index in uses:
        user.replace_input_with(index, result)
    for index, output in enumerate(graph.outputs):
        if output is y:
            graph.outputs[index] = result
    result.shape = y.shape
    y.name, result.name = f"{y.name}_analog", y.name
    if not keep_activation:
        graph.remove(site.nodes, safe=True)
