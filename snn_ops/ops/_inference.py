"""Type and shape inference of our operators for ``onnx.shape_inference``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from snn_ops.ops._signature import CONSTANT_CURRENT, Kind, Tensor, Time

_UNKNOWN = onnx.TensorShapeProto.Dimension()


def infer(outputs: Sequence[Tensor], time: Time, context: Any) -> None:
    """Says what is known of the outputs: all axes are the first input's, but the first axis may become another.

    Args:
        outputs: of the operator.
        time: what the operator does with time.
        context: of a node, ``onnx.defs.InferenceContext``.
    """
    first = context.get_input_type(0)
    if first is None or not first.HasField("tensor_type"):
        return
    element = first.tensor_type.elem_type
    dims = list(first.tensor_type.shape.dim)
    keeps = _kept_first_axis(time, context)
    for index, output in enumerate(outputs[: context.get_num_outputs()]):
        inferred = onnx.TypeProto()
        tensor = inferred.tensor_type
        if output.kind is Kind.INTEGER:
            tensor.elem_type = onnx.TensorProto.INT64
            tensor.shape.SetInParent()
        else:
            widens = output.kind is Kind.STATE and element == onnx.TensorProto.FLOAT16
            tensor.elem_type = onnx.TensorProto.FLOAT if widens else element
            if dims:
                tensor.shape.dim.append(dims[0] if output.kind in keeps else _UNKNOWN)
                tensor.shape.dim.extend(dims[1:])
        context.set_output_type(index, inferred)


def _kept_first_axis(time: Time, context: Any) -> tuple[Kind, ...]:
    """Outputs of these kinds have the first axis of the first input."""
    if time is Time.STEPS:
        constant = context.get_attribute(CONSTANT_CURRENT.name)
        return (Kind.STATE,) if constant is not None and constant.i == 1 else (Kind.CURRENT,)
    return (Kind.CURRENT,) if time in (Time.AT_ONCE, Time.NONE) else ()
