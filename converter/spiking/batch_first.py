"""Moves the samples to axis 0 for activations that have them elsewhere:  f(x) = back(f(front(x))) for every f of elements.

Layers of sequences often run on [length, batch, features]. A neuron needs time and samples in axis 0; a Transpose before the
activation and one after it put them there, and the model computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from converter.activations.encoders import Encoder
from converter.activations.functions import ElementwiseFunction
from converter.activations.known import find_activations
from converter.graph.batch_axis import BatchAxes
from converter.graph.build import free_name, to_front, transposed
from converter.graph.op_facts import facts
from converter.graph.passes import Lines, PassReport


def batch_first(model: ir.Model, axes: BatchAxes) -> tuple[PassReport, BatchAxes]:
    """Wraps activations of the main graph in Transposes.

    Args:
        model: a trained model, with the ranks of its values.
        axes: where the samples of each value lie.

    Returns:
        The report, and where the samples lie now, of new values too.
    """
    lines = Lines("batch first")
    for function, _ in find_activations(model, axes):
        last, axis, shape = function.nodes[-1], axes.place(function.x), function.x.shape
        if axis == 0:
            continue
        if shape is None:
            lines.declined(last, f"its samples lie in axis {axis}, of how many is not known")
        elif not function.is_scalar:
            lines.declined(last, f"its samples lie in axis {axis}, and its elements have numbers of their own")
        else:
            axes = axes.with_values(_wrap(model.graph, function, axis, len(shape)))
            lines.changed(
                last, f"its samples lay in axis {axis}: Transposes before and after it put them in axis 0 and back"
            )
    return lines.report(), axes


def _wrap(graph: ir.Graph, function: ElementwiseFunction, axis: int, rank: int) -> dict[str, int]:
    """Where the samples of new values and of the function's lie."""
    x, y, name = function.x, function.y, str(function.nodes[-1].name)
    there, back = to_front(axis, rank)
    first, last = (
        transposed(graph, x, there, f"{name}_batch_first"),
        transposed(graph, y, back, f"{name}_batch_back"),
    )
    x_first, y_back = first.outputs[0], last.outputs[0]
    x_first.name = free_name(graph, f"{x.name}_of_{name}")
    graph.insert_before(function.nodes[0], first)
    graph.insert_after(function.nodes[-1], last)
    for user, index in list(y.uses()):
        if user is not last:
            user.replace_input_with(index, y_back)
    for node in function.nodes:
        for index, value in enumerate(node.inputs):
            if value is x:
                node.replace_input_with(index, x_first)
        node.outputs[0].shape = None
    y.name, y_back.name = free_name(graph, f"{y.name}_batch_first"), y.name
    return {
        str(x_first.name): 0,
        **{str(node.outputs[0].name): 0 for node in function.nodes},
        str(y_back.name): axis,
    }


def values_batch_first(model: ir.Model, axes: BatchAxes, encoders: Sequence[Encoder]) -> tuple[PassReport, BatchAxes]:
    """The same for values that neurons of the delta code send: encoders go over to the value with its samples in axis 0.

    Args:
        model: a trained model, with the ranks of its values.
        axes: where the samples of each value lie.
        encoders: they are changed.
    """
    lines = Lines("batch first")
    for encoder in encoders:
        value, axis = encoder.value, axes.place(encoder.value)
        if axis == 0 or value.shape is None:
            continue
        there, back = to_front(axis, len(value.shape))
        users = [(user, index) for user, index in value.uses() if not facts(user).reads_shape]
        first = transposed(model.graph, value, there, f"{value.name}_batch_first")
        last = transposed(model.graph, first.outputs[0], back, f"{value.name}_batch_back")
        producer = value.producer()
        if producer is None:
            model.graph.insert_before(model.graph[0], [first, last])
        else:
            model.graph.insert_after(producer, [first, last])
        for user, index in users:
            user.replace_input_with(index, last.outputs[0])
        first.outputs[0].shape = ir.Shape([value.shape[other] for other in there])
        last.outputs[0].shape = value.shape
        axes = axes.with_values({str(first.outputs[0].name): 0, str(last.outputs[0].name): axis})
        lines.changed(
            f"value {value.name!r}", f"its samples lay in axis {axis}: a Transpose puts them in axis 0, and one back"
        )
        encoder.value = first.outputs[0]
        if encoder.channel_axis is not None:
            encoder.channel_axis = there.index(encoder.channel_axis)
    return lines.report(), axes
