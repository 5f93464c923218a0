"""The shape of every value in a model, for given input shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from converter.graph import quiet
from converter.runtime import Probe

Shapes = dict[str, tuple[int, ...]]


def infer_shapes(model: ir.Model, input_shapes: Mapping[str, tuple[int, ...]]) -> Shapes:
    """Infers every value's shape in the main graph by ONNX's shape inference; runs the model for what that leaves open.

    The model's own shape annotations are the same afterwards.

    Raises:
        RefusedError: the model cannot run with inputs of these shapes.
    """
    values = [value for node in model.graph for value in node.outputs if value.name]
    inputs, outputs = list(model.graph.inputs), list(model.graph.outputs)
    annotated = {value: value.shape for value in (*inputs, *outputs, *values)}
    try:
        for value in (*outputs, *values):
            value.shape = None
        for value in inputs:
            value.shape = ir.Shape(input_shapes[str(value.name)])
        with quiet():
            ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)
        shapes = {str(value.name): _static(value.shape) for value in (*inputs, *values)}
    finally:
        for value, shape in annotated.items():
            value.shape = shape
    for name, initializer in model.graph.initializers.items():
        shapes[name] = _static(initializer.shape)
    missing = [value for value in values if shapes[str(value.name)] is None]
    if missing:
        feed = {str(v.name): np.zeros(input_shapes[str(v.name)], v.dtype.numpy()) for v in inputs if v.dtype}
        shapes.update({name: array.shape for name, array in Probe(model, missing).run(feed).items()})
    return {name: shape for name, shape in shapes.items() if shape is not None}


def annotate(model: ir.Model) -> None:
    """Types, ranks and symbolic shapes of all values."""
    ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)


def _static(shape: ir.Shape | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    lengths = tuple(length for length in shape if isinstance(length, int))
    return lengths if len(lengths) == len(shape) else None
