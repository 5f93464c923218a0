"""Shapes as numbers: what a graph computes from the shapes of its values, if those are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from converter.graph.build import constant_of
from converter.graph.op_facts import facts

_MOST_NUMBERS = 64
"""What has more numbers is no shape."""


class ShapeNumbers:
    """Follows a graph node by node.

    Args:
        shape: of a value, None if it is not known.
    """

    def __init__(self, shape: Callable[[ir.Value], Sequence[int] | None]) -> None:
        self._shape = shape
        self._numbers: dict[str, np.ndarray] = {}
        self._from_shapes: set[str] = set()

    def follow(self, node: ir.Node) -> None:
        """Computes what the node gives, if its inputs have few numbers and all of them are known."""
        inputs = [value for value in node.inputs if value is not None]
        if facts(node).reads_shape or any(str(value.name) in self._from_shapes for value in inputs):
            self._from_shapes.update(str(value.name) for value in node.outputs)
        arrays = {str(value.name): self._array(node, value) for value in inputs}
        numbers = {name: array for name, array in arrays.items() if array is not None}
        subgraphs = any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values())
        if len(numbers) == len(arrays) > 0 and len(node.outputs) == 1 and not node.domain and not subgraphs:
            result = _computed(node, numbers)
            if result is not None:
                self._numbers[str(node.outputs[0].name)] = result

    def _array(self, node: ir.Node, value: ir.Value) -> np.ndarray | None:
        if facts(node).reads_shape:
            shape = self._shape(value)
            return None if shape is None else np.empty(shape, np.bool_)
        array = self._numbers.get(str(value.name), constant_of(value))
        return array if array is not None and array.size <= _MOST_NUMBERS else None

    def comes_from_shapes(self, value: ir.Value) -> bool:
        """Whether it depends on a shape, known or not."""
        return value.name in self._from_shapes

    def knows(self, value: ir.Value) -> bool:
        """Whether its numbers are known, other than as a constant's."""
        return value.name in self._numbers

    def reshaped(self, node: ir.Node) -> tuple[int, ...] | None:
        """What a Reshape to known numbers makes; None if it cannot, or the numbers are not known."""
        data, target = node.inputs[:2]
        if data is None or target is None:
            return None
        shape, numbers = self._shape(data), self._numbers.get(str(target.name))
        if shape is None or numbers is None:
            return None
        result = _computed(node, {str(data.name): np.empty(shape, np.bool_), str(target.name): numbers})
        return None if result is None else result.shape


def _computed(node: ir.Node, inputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """What the node gives; None if ONNX's reference cannot compute it."""
    with suppress(Exception):
        results = ReferenceEvaluator(ir.serde.serialize_node(node)).run(None, inputs)
        return np.asarray(next(iter(results)))
    return None
