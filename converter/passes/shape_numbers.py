"""Shapes as numbers: what a graph computes from the shapes of its values, if those are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_reshape import reshape_reference_implementation

from converter.graph import constant_of
from converter.passes.regions import SHAPES

_FEW = 64
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
        """Computes what the node gives, if it takes in few numbers and all of them are known."""
        taken = [value for value in node.inputs if value is not None]
        if node.op_type in SHAPES or any(str(value.name) in self._from_shapes for value in taken):
            self._from_shapes.update(str(value.name) for value in node.outputs)
        arrays = {str(value.name): self._array(node, value) for value in taken}
        known = {name: array for name, array in arrays.items() if array is not None}
        subgraphs = any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values())
        if len(known) == len(arrays) > 0 and len(node.outputs) == 1 and not node.domain and not subgraphs:
            with suppress(Exception):  # what the reference cannot compute stays unknown
                results = ReferenceEvaluator(ir.serde.serialize_node(node)).run(None, known)
                self._numbers[str(node.outputs[0].name)] = np.asarray(next(iter(results)))

    def _array(self, node: ir.Node, value: ir.Value) -> np.ndarray | None:
        if node.op_type in SHAPES:
            shape = self._shape(value)
            return None if shape is None else np.empty(shape, np.bool_)
        array = self._numbers.get(str(value.name), constant_of(value))
        return array if array is not None and array.size <= _FEW else None

    def comes_from_shapes(self, value: ir.Value) -> bool:
        """Whether it depends on a shape, known or not."""
        return value.name in self._from_shapes

    def knows(self, value: ir.Value) -> bool:
        """Whether its numbers are known, other than as a constant's."""
        return value.name in self._numbers

    def reshaped(self, node: ir.Node) -> tuple[int, ...] | None:
        """What a Reshape to known numbers makes; None if it cannot, or the numbers are not known."""
        data, target = node.inputs[:2]
        shape = self._shape(data) if data is not None else None
        numbers = self._numbers.get(str(target.name)) if target is not None else None
        if shape is None or numbers is None:
            return None
        zero = node.attributes.get("allowzero")
        with suppress(ValueError):
            empty = np.empty(shape, np.bool_)
            return reshape_reference_implementation(empty, numbers, zero.as_int() if zero else 0).shape
        return None
