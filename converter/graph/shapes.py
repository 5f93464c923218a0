"""The shape of every value in a model, for given input shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from converter.graph.build import without_library_warnings
from converter.graph.run import Probe, zeros

Shapes = dict[str, tuple[int, ...]]
"""Of values, by name."""
MANY_SAMPLES = 11
"""A batch for questions about shapes; a prime, so that few other axes are multiples of it."""
FREE_LENGTH = 64
"""Of an axis other than the batch that a model leaves open."""


def input_shapes(model: ir.Model, samples: int) -> Shapes:
    """Shapes of the inputs for so many samples; free axes other than the batch get some length."""
    shapes = {}
    for value in model.graph.inputs:
        assert value.shape is not None
        inner = [length if isinstance(length, int) and length > 0 else FREE_LENGTH for length in list(value.shape)[1:]]
        shapes[str(value.name)] = (samples, *inner)
    return shapes


def infer_shapes(model: ir.Model, input_shapes: Mapping[str, tuple[int, ...]]) -> Shapes:
    """Infers every value's shape in the main graph by ONNX's shape inference; runs the model for what that leaves open.

    The model's own shape annotations are the same afterwards.

    Raises:
        RefusedError: the model cannot run with inputs of these shapes.
    """
    values = [value for node in model.graph for value in node.outputs if value.name]
    inputs, outputs = list(model.graph.inputs), list(model.graph.outputs)
    annotated = {v: v.shape for graph in model.graphs() for v in (*graph.inputs, *graph.outputs)}
    annotated |= {v: v.shape for graph in model.graphs() for node in graph for v in node.outputs}
    try:
        for value in (*outputs, *values):
            value.shape = None
        for value in inputs:
            value.shape = ir.Shape(input_shapes[str(value.name)])
        with without_library_warnings():
            infer_symbolic(model)
        shapes = {str(value.name): _static(value.shape) for value in (*inputs, *values)}
    finally:
        for value, shape in annotated.items():
            value.shape = shape
    for name, initializer in model.graph.initializers.items():
        shapes[name] = _static(initializer.shape)
    missing = [value for value in values if shapes[str(value.name)] is None]
    shapes.update({name: array.shape for name, array in _computed(model, missing, input_shapes).items()})
    return {name: shape for name, shape in shapes.items() if shape is not None}


def infer_symbolic(model: ir.Model) -> None:
    """ONNX's shape inference, as far as it comes. What the library leaves behind where it fails is taken back."""
    graph = model.graph
    inputs, initializers = list(graph.inputs), [(value, value.const_value) for value in graph.initializers.values()]
    try:
        ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)
    finally:
        graph.inputs[:] = inputs
        for value, tensor in initializers:
            value.const_value = tensor
            if value.name not in graph.initializers:
                graph.register_initializer(value)


def annotate(model: ir.Model, input_shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Types, ranks and symbolic shapes of all values; where inference leaves a value open, its type and rank in a run.

    Raises:
        RefusedError: the model cannot run with inputs of these shapes.
    """
    values = {str(v.name): v for node in model.graph for v in node.outputs if v.name}
    for value in values.values():  # of lengths that are not known inference makes a new symbol for each value
        if (
            value.shape is not None
            and None in [getattr(d, "value", d) for d in value.shape]
            and not value.is_graph_output()
        ):
            value.shape = None
    infer_symbolic(model)
    missing = [value for value in values.values() if value.shape is None or value.dtype is None]
    for name, array in _computed(model, missing, input_shapes).items():
        values[name].type = ir.TensorType(ir.DataType.from_numpy(array.dtype))
        values[name].shape = ir.Shape([None] * array.ndim)


def fixed_axis(model: ir.Model, value: ir.Value, axis: int, samples: int = 0) -> int | None:
    """The axis, if numbers along it fit every sample that the model takes; else the last for which they do; None: none.

    One axis has the samples, and one as long as the model's inputs happen to be has another length with every call. Where no
    input leaves a length open, a length that inference does not know is fixed all the same.

    Args:
        model: with symbolic shapes, see `annotate`.
        value: of it.
        axis: the axis along which its numbers belong together.
        samples: the axis of the samples.
    """
    inner = [length for given in model.graph.inputs if given.shape is not None for length in list(given.shape)[1:]]
    has_free = not all(isinstance(length, int) for length in inner)
    if value.shape is None:
        return axis if axis != samples and not has_free else None
    lengths = list(value.shape)
    for candidate in (axis, *reversed(range(len(lengths)))):
        if candidate != samples and (isinstance(lengths[candidate], int) or not has_free):
            return candidate
    return axis if len(lengths) < 2 else None


def _computed(
    model: ir.Model, values: Sequence[ir.Value], input_shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Those of the values that are tensors, for inputs of zeros."""
    if not values:
        return {}
    feed = zeros(model, input_shapes)
    return {name: array for name, array in Probe(model, values).run(feed).items() if isinstance(array, np.ndarray)}


def _static(shape: ir.Shape | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    lengths = tuple(length for length in shape if isinstance(length, int))
    return lengths if len(lengths) == len(shape) else None
