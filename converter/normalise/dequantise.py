"""Turns a quantised model back into one of floats: the neurons of a spiking model quantise for themselves.

1. Integer layers become layers on floats between Quantize- and DequantizeLinear: QLinearConv, QLinearMatMul, and what ONNX
   Runtime has beside them, QGemm, QLinearAdd, ...; and without them where the scale is taken at run time: ConvInteger,
   MatMulInteger, DynamicQuantizeLinear.
2. DequantizeLinear of a constant is computed: the weights keep their quantised values.
3. Every other QuantizeLinear and DequantizeLinear lets its input through. Where the smallest integer stands for 0, quantising
   has cut off what is negative, so it becomes a Relu, unless nothing negative can arrive. What is cut off above the largest
   integer is kept: it is the range that the exporter's calibration left out.

At the model's inputs and outputs of integers they stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import constant, free_name
from converter.graph.op_facts import Sign, sign_of
from converter.graph.passes import Lines, PassReport

_QUANTISED = frozenset(
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger MatMulInteger".split()
)
_MICROSOFT = "com.microsoft"
_QUANTISERS = ("QuantizeLinear", "DequantizeLinear")
_KEPT = ("QuickGelu", *_QUANTISERS)
"""ONNX Runtime's operators with a Q that are no layers on integers."""
_ON_FLOATS = {
    f"QLinear{op_type}": op_type
    for op_type in "Add AveragePool Concat GlobalAveragePool LeakyRelu Mul Sigmoid Softmax".split()
}
"""ONNX Runtime's operators on integers, and the same on floats."""


DEQUANTISE = "dequantise"
"""The name of this pass."""


def dequantise(model: ir.Model) -> PassReport:
    """Applies the three points above to the main graph.

    Raises:
        RefusedError: a scale or zero point is computed at run time, or there is no rule for an operator on integers.
    """
    lines = Lines(DEQUANTISE)
    graph = model.graph
    if not any(_is(node, *_QUANTISED) for node in graph):
        return lines.report()
    for node in list(graph):
        _to_floats(graph, node, lines)
    for node in list(graph):
        if _is(node, "QuantizeLinear"):
            _quantise(graph, node, lines)
    for node in list(graph):
        if _is(node, "DequantizeLinear"):
            _dequantise(graph, node, lines)
    for node in graph:  # integers are floats now
        for value in node.outputs:
            if not value.is_graph_output():
                value.type = None
    return lines.report()


def _to_floats(graph: ir.Graph, node: ir.Node, lines: Lines) -> None:
    """An operator on integers becomes the same on floats; others stay."""
    rewrite = _REWRITES.get((node.domain, node.op_type))
    if rewrite is not None:
        rewrite(graph, node)
        lines.changed(node, "works on floats")
    elif node.domain == _MICROSOFT and node.op_type.startswith("Q") and node.op_type not in _KEPT:
        raise RefusedError(
            f"there is no rule for the quantised operator {node.op_type}; convert the model before it was quantised",
            node=node.name,
        )


def _is(node: ir.Node, *op_types: str) -> bool:
    """Whether it is one of these operators, ONNX's or, of the two that quantise, ONNX Runtime's for more types of integers."""
    is_known = not node.domain or (node.domain == _MICROSOFT and node.op_type in _QUANTISERS)
    return is_known and node.op_type in op_types


def _split_layer(graph: ir.Graph, node: ir.Node) -> None:
    """QLinearConv(x, sx, zx, w, sw, zw, sy, zy, b) -> Quantize(Conv(Dequantize(x), (w - zw) sw, b sx sw))."""
    x, x_scale, x_zero, w, w_scale, w_zero = node.inputs[:6]
    is_gemm = node.op_type == "QGemm"  # has the bias before the result's scale
    y_scale, y_zero = node.inputs[7:9] if is_gemm else node.inputs[6:8]
    bias = node.inputs[6] if is_gemm else node.inputs[8] if len(node.inputs) > 8 else None
    floats = ir.node("DequantizeLinear", [x, x_scale, x_zero], name=f"{node.name}_x")
    scale, zero = _numbers(w_scale, node), _numbers(w_zero, node)
    rows = node.op_type == "QLinearConv" or (is_gemm and node.attributes.get_int("transB", 0) != 0)
    weights = _real(_numbers(w, node), scale, zero, axis=0 if rows else -1)
    inputs: list[ir.Value | None] = [floats.outputs[0], constant(graph, f"{node.name}_weights", weights)]
    if bias is not None:
        alpha = node.attributes.get_float("alpha", 1.0)
        numbers = _numbers(bias, node) * _numbers(x_scale, node) * scale * alpha
        inputs.append(constant(graph, f"{node.name}_bias", numbers.reshape(-1).astype(np.float32)))
    op_type = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul", "QGemm": "Gemm"}[node.op_type]
    layer = ir.node(op_type, inputs, dict(node.attributes), name=node.name)
    last = ir.node("QuantizeLinear", [layer.outputs[0], y_scale, y_zero], name=f"{node.name}_y")
    graph.insert_before(node, [floats, layer, last])
    _let_take_place(graph, node, last.outputs[0])


def _split_operator(graph: ir.Graph, node: ir.Node) -> None:
    """QLinearAdd(a, sa, za, b, sb, zb, sy, zy) -> Quantize(Add(Dequantize(a), Dequantize(b)))."""
    op_type = _ON_FLOATS[node.op_type]
    inputs = list(node.inputs)
    y, quantised = (inputs[:2], inputs[2:]) if op_type == "Concat" else (inputs[-2:], inputs[:-2])
    if node.attributes.get_int("channels_last", 0):
        raise RefusedError(
            f"{node.op_type} has its channels last; convert the model before it was quantised", node=node.name
        )
    floats = [
        ir.node("DequantizeLinear", quantised[i : i + 3], name=f"{node.name}_x{i // 3}")
        for i in range(0, len(quantised), 3)
    ]
    attributes = {name: value for name, value in node.attributes.items() if name not in ("channels_last", "opset")}
    layer = ir.node(op_type, [f.outputs[0] for f in floats], attributes, name=node.name)
    last = ir.node("QuantizeLinear", [layer.outputs[0], *y], name=f"{node.name}_y")
    graph.insert_before(node, [*floats, layer, last])
    _let_take_place(graph, node, last.outputs[0])


def _float_layer(graph: ir.Graph, node: ir.Node) -> None:
    """MatMulInteger(q, w, zq, zw) -> MatMul(q, w - zw): q is a float once DynamicQuantizeLinear lets it through."""
    zero = _numbers(node.inputs[3], node) if len(node.inputs) > 3 and node.inputs[3] is not None else np.zeros(1)
    is_conv = node.op_type == "ConvInteger"
    weights = _real(_numbers(node.inputs[1], node), np.ones(1), zero, axis=0 if is_conv else -1)
    inputs = [node.inputs[0], constant(graph, f"{node.name}_weights", weights)]
    layer = ir.node("Conv" if is_conv else "MatMul", inputs, dict(node.attributes), name=node.name)
    graph.insert_before(node, layer)
    _let_take_place(graph, node, layer.outputs[0])


def _let_through_dynamic(graph: ir.Graph, node: ir.Node) -> None:
    """(q, scale, zero) -> (x, 1, 0)."""
    x, name = node.inputs[0], node.name
    assert x is not None
    quantised, scale, zero = node.outputs
    scale.replace_all_uses_with(constant(graph, f"{name}_scale", np.ones((), np.float32)))
    zero.replace_all_uses_with(constant(graph, f"{name}_zero", np.zeros((), np.uint8)))
    _let_take_place(graph, node, x, quantised)


_REWRITES: Mapping[tuple[str, str], Callable[[ir.Graph, ir.Node], None]] = {
    ("", "QLinearConv"): _split_layer,
    ("", "QLinearMatMul"): _split_layer,
    (_MICROSOFT, "QGemm"): _split_layer,
    **{(_MICROSOFT, op_type): _split_operator for op_type in _ON_FLOATS},
    ("", "ConvInteger"): _float_layer,
    ("", "MatMulInteger"): _float_layer,
    ("", "DynamicQuantizeLinear"): _let_through_dynamic,
}


def _dequantise(graph: ir.Graph, node: ir.Node, lines: Lines) -> None:
    x, scale, zero = node.inputs[0], node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
    assert x is not None
    axis = node.attributes.get_int("axis", 1)
    source = x.producer()
    if x.const_value is not None:
        numbers = x.const_value.numpy()
    elif source is not None and _is(source, "QuantizeLinear") and source.inputs[0].const_value is not None:  # type: ignore[union-attr]
        numbers = _quantised(source)
    elif x.is_graph_input() and x.dtype is not None and not x.dtype.is_floating_point():
        lines.declined(node, f"{x.name!r} is an input of the model, of integers")
        return
    else:
        lines.changed(node, "lets its input through")
        _let_take_place(graph, node, x)
        return
    zeros = _numbers(zero, node) if zero is not None else np.zeros(1)
    block = node.attributes.get_int("block_size", 0)
    real = _real(numbers, _numbers(scale, node), zeros, axis=axis, block=block)
    lines.changed(node, "computed: a constant now")
    _let_take_place(graph, node, constant(graph, f"{node.name}_real", real))


def _quantise(graph: ir.Graph, node: ir.Node, lines: Lines) -> None:
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    if x.const_value is not None:  # weights are computed where they are dequantised
        return
    if y.is_graph_output():
        lines.declined(node, f"{y.name!r} is an output of the model, of integers")
        return
    if _cuts_negative(node) and not _never_negative(x, set()):
        relu = ir.node("Relu", [x], name=f"{node.name}_relu")
        graph.insert_before(node, relu)
        x = relu.outputs[0]
        lines.changed(node, f"cuts off what is negative: Relu {relu.name!r}")
    else:
        lines.changed(node, "lets its input through")
    _let_take_place(graph, node, x)


def _let_take_place(graph: ir.Graph, node: ir.Node, value: ir.Value, output: ir.Value | None = None) -> None:
    """`value` takes the place of the node's output; an output of the model keeps its name."""
    output = output or node.outputs[0]
    if output.is_graph_output():
        output.name, name = free_name(graph, f"{output.name}_quantised"), output.name
        value.name = name
        value.type, value.shape = ir.TensorType(ir.DataType.FLOAT), output.shape
    output.replace_all_uses_with(value, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _numbers(value: ir.Value | None, node: ir.Node) -> np.ndarray:
    if value is None or value.const_value is None:
        raise RefusedError(
            f"{node.op_type} takes a scale, zero point or weight that is computed at run time; convert the model before "
            "it was quantised",
            node=node.name,
        )
    numbers: np.ndarray = value.const_value.numpy()
    return numbers


def _real(numbers: np.ndarray, scale: np.ndarray, zero: np.ndarray, *, axis: int, block: int = 0) -> np.ndarray:
    """(numbers - zero) scale, with a scale and zero per index of `axis`, per `block` of them, or one for all."""

    def along(values: np.ndarray) -> np.ndarray:
        if block and values.size > 1:
            return np.repeat(values.astype(np.float64), block, axis).take(range(numbers.shape[axis]), axis)
        shape = [1] * numbers.ndim
        if values.size > 1:
            shape[axis] = values.size
        return values.astype(np.float64).reshape(shape)

    real: np.ndarray = ((numbers.astype(np.float64) - along(zero)) * along(scale)).astype(np.float32)
    return real


def _quantised(node: ir.Node) -> np.ndarray:
    """What a QuantizeLinear makes of a constant."""
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    lowest, highest = _limits(zero)
    axis = node.attributes.get_int("axis", 1)
    x = _numbers(node.inputs[0], node)
    scale = _numbers(node.inputs[1], node)
    zeros = _numbers(zero, node) if zero is not None else np.zeros(1)
    steps = x / _real(np.ones_like(x), scale, np.zeros(1), axis=axis)
    shift = _real(np.ones_like(x), zeros, np.zeros(1), axis=axis)
    numbers: np.ndarray = np.clip(np.round(steps) + shift, lowest, highest)
    return numbers


def _limits(zero: ir.Value | None) -> tuple[float, float]:
    dtype = np.dtype(np.uint8) if zero is None or zero.dtype is None else zero.dtype.numpy()
    if dtype.kind not in "iu":
        return -np.inf, np.inf
    info = np.iinfo(dtype)
    return float(info.min), float(info.max)


def _cuts_negative(node: ir.Node) -> bool:
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    zeros = _numbers(zero, node) if zero is not None else np.zeros(1)
    return bool((zeros == _limits(zero)[0]).all())


def _never_negative(value: ir.Value, seen: set[ir.Value]) -> bool:
    """Whether nothing negative can arrive; the model's inputs may be anything, and are not cut off."""
    node = value.producer()
    if value in seen:
        return True
    seen.add(value)
    if value.const_value is not None:
        return bool((value.const_value.numpy() >= 0).all())
    sign = sign_of(node) if node is not None else None
    if node is None or sign is Sign.NEVER_NEGATIVE:
        return True
    if _is(node, "QuantizeLinear") and _cuts_negative(node):
        return True
    if _is(node, "Clip"):
        low = node.inputs[1] if len(node.inputs) > 1 else None
        return low is not None and low.const_value is not None and float(low.const_value.numpy()) >= 0
    if sign is None and not _is(node, "QuantizeLinear", "DequantizeLinear"):  # these let their input through
        return False
    data = node.inputs if sign is Sign.OF_ALL else node.inputs[:1]
    return all(_never_negative(v, seen) for v in data if v is not None)
