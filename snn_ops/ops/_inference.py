"""Type and shape inference of our operators for ``onnx.shape_inference``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx

if TYPE_CHECKING:
    from snn_ops.ops._operator import Operator

_UNKNOWN = onnx.TensorShapeProto.Dimension()


def infer_temporal(operator: Operator, context: Any) -> None:
    """An operator that takes a current through time: the output keeps the current's shape, states are [B, ...]."""
    attribute = context.get_attribute("constant_current")
    constant = attribute is not None and attribute.i == 1
    _infer(operator, context, output_keeps_first_axis=not constant, states_keep_first_axis=constant)


def infer_new_first_axis(operator: Operator, context: Any) -> None:
    """An operator that enters or leaves time: the first axis becomes another, unknown one."""
    _infer(operator, context, output_keeps_first_axis=False, states_keep_first_axis=False)


def infer_same_shape(operator: Operator, context: Any) -> None:
    """An operator without time: the output has the first input's shape."""
    _infer(operator, context, output_keeps_first_axis=True, states_keep_first_axis=True)


def _infer(operator: Operator, context: Any, *, output_keeps_first_axis: bool, states_keep_first_axis: bool) -> None:
    first = context.get_input_type(0)
    if first is None or not first.HasField("tensor_type"):
        return
    element = first.tensor_type.elem_type
    dims = list(first.tensor_type.shape.dim)
    for index, output in enumerate(operator.outputs[: context.get_num_outputs()]):
        inferred = onnx.TypeProto()
        tensor = inferred.tensor_type
        if output.type == "tensor(int64)":
            tensor.elem_type = onnx.TensorProto.INT64
            tensor.shape.SetInParent()
        else:
            is_state = output.type == "S"
            tensor.elem_type = onnx.TensorProto.FLOAT if is_state and element == onnx.TensorProto.FLOAT16 else element
            if dims:
                keeps = states_keep_first_axis if is_state else output_keeps_first_axis
                tensor.shape.dim.append(dims[0] if keeps else _UNKNOWN)
                tensor.shape.dim.extend(dims[1:])
        context.set_output_type(index, inferred)
