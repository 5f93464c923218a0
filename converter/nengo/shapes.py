"""The shapes that Nengo computes with: one sample, one step."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.shapes import Shapes, infer_shapes
from snn_ops.format import N_STEPS


def shapes_of_one_step(proto: onnx.ModelProto) -> Shapes:
    """Every value's shape for one sample and one step.

    Raises:
        RefusedError: an input that holds a state, or has free lengths.
    """
    model = ir.from_proto(proto)
    for index, value in reversed(list(enumerate(model.graph.inputs))):
        if value.name == N_STEPS:
            value.const_value = ir.tensor(np.asarray(1, np.int64), name=N_STEPS)
            del model.graph.inputs[index]
    shapes = {}
    for value in model.graph.inputs:
        assert value.shape is not None
        if value.name in model.graph.initializers:
            raise RefusedError(f"input {value.name!r} is a state: convert the model without --streaming")
        lengths = [length if isinstance(length, int) else None for length in value.shape]
        if None in lengths[1:]:
            raise RefusedError(f"input {value.name!r} has free lengths {value.shape}; Nengo needs fixed ones")
        shapes[str(value.name)] = (1, *(length for length in lengths[1:] if length is not None))
    return infer_shapes(model, shapes)
