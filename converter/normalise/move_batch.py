"""Puts the samples into axis 0 of inputs and outputs that have them in another one, as recurrent layers and their states do.

Where an input has them is told from the model:

1. its axis has the name that axis 0 of another input has, ``state [2, batch, 128]`` beside ``x [batch, 64]``;
2. it is the state of an LSTM, a GRU or an RNN before the sequence, ``[directions, samples, hidden]``;
3. such a layer would run through axis 0 as a sequence, and with the samples in axis 1, ``[length, samples, numbers]``, no node
   mixes them;
4. beside inputs for one sample, its only axis of length 1 is another one, ``state [2, 1, 128]`` beside ``x [1, 64]``, and no
   node mixes what lies along these.

The input becomes one with the samples first, and a Transpose turns it back for the nodes that read it; outputs likewise.
Whether the samples are independent of each other then is for `converter.normalise.proof`.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.batch_axis import BatchWalk
from converter.graph.build import free_name, to_front, transposed
from converter.graph.op_facts import facts
from converter.graph.passes import Lines, PassReport
from converter.graph.shapes import MANY_SAMPLES, infer_shapes


def move_batch(model: ir.Model) -> tuple[PassReport, dict[str, int]]:
    """Moves the samples to the front where they are not.

    Args:
        model: with constants lifted to initialisers.

    Returns:
        The report, and of each input and output that was changed the axis where the samples were.

    Raises:
        RefusedError: a recurrent layer with states among the inputs runs through axis 0 of the others as a sequence.
    """
    lines, graph = Lines("move batch"), model.graph
    axes = _by_name(graph) | _of_states(graph)
    axes = _of_one_sample(model, axes)
    if any(facts(node).initial_states for node in graph):
        axes = _of_sequences(model, axes)
    if not axes:
        return lines.report(), {}
    places = _outputs(model, axes)
    if places is None and not axes.keys().isdisjoint(_of_states(graph)):
        _check_sequence(model, axes)
    moved: dict[str, int] = {}
    for role, values, move in (("input", axes, _move_input), ("output", places or {}, _move_output)):
        for value, axis in values.items():
            if axis:
                moved[str(value.name)] = axis
                lines.changed(f"{role} {value.name!r}", f"its samples are in axis {axis}; they become axis 0")
                move(graph, value, axis)
    return lines.report(), moved


Axes = dict[ir.Value, int]
"""Where the samples lie, of inputs or outputs."""


def _by_name(graph: ir.Graph) -> Axes:
    names = {str(value.shape[0]) for value in graph.inputs if value.shape and not isinstance(value.shape[0], int)} - {
        "None"
    }
    axes = {}
    for value in graph.inputs:
        dims = list(value.shape or [])
        places = [axis for axis, length in enumerate(dims) if str(length) in names]
        if len(places) == 1 and isinstance(dims[0], int):
            axes[value] = places[0]
    return axes


def _of_states(graph: ir.Graph) -> Axes:
    read = {
        node.inputs[index]
        for node in graph
        if not node.attributes.get_int("layout", 0)
        for index in facts(node).initial_states
        if index < len(node.inputs)
    }
    return {value: 1 for value in graph.inputs if value in read}


def _of_one_sample(model: ir.Model, axes: Axes) -> Axes:
    """These, or with those of inputs for one sample whose axis 0 is another one, if that is right."""
    ones = {value: [axis for axis, n in enumerate(value.shape or []) if n == 1] for value in model.graph.inputs}
    if not any(places[:1] == [0] for places in ones.values()):
        return axes
    others = {
        value: places[0] for value, places in ones.items() if len(places) == 1 and places[0] and value not in axes
    }
    turned = axes | others
    return turned if others and _outputs(model, turned) is not None else axes


def _of_sequences(model: ir.Model, axes: Axes) -> Axes:
    """These, or with all other inputs' samples in axis 1 if that is right and axis 0 is not."""
    if _outputs(model, axes) is not None:
        return axes
    others = {value: 1 for value in model.graph.inputs if value not in axes and _may_be_turned(value)}
    turned = axes | others
    return turned if others and _outputs(model, turned) is not None else axes


def _check_sequence(model: ir.Model, axes: Axes) -> None:
    """Follows axis 0 of the inputs that are not turned, beside states for as many samples as the model says.

    Raises:
        RefusedError: a recurrent layer runs through it.
    """
    shapes = {str(value.name): _lengths(value, _FREE) for value in model.graph.inputs}
    names = [str(value.name) for value in model.graph.inputs if value not in axes]
    size = next((shapes[name][0] for name in names if shapes[name]), 1)
    walk, inferred = BatchWalk(names, size), infer_shapes(model, shapes)
    for node in model.graph:
        try:
            walk.follow(node, inferred)
        except RefusedError:
            if facts(node).recurrent:
                raise
            return


def _lengths(value: ir.Value, free: int) -> tuple[int, ...]:
    return tuple(length if isinstance(length, int) and length > 0 else free for length in value.shape or [])


def _may_be_turned(value: ir.Value) -> bool:
    """Whether axis 1 may have the samples: it is not of a fixed length beside an axis 0 that is free."""
    dims = [length if isinstance(length, int) and length > 0 else None for length in value.shape or []]
    return len(dims) > 2 and (dims[0] is not None or dims[1] in (None, 1))


def _outputs(model: ir.Model, axes: Mapping[ir.Value, int]) -> Axes | None:
    """Where the outputs' samples lie if the inputs' lie there (0 where it is not said); None: a node mixes them."""
    lengths, fixed = {}, set()
    for value in model.graph.inputs:
        dims = [length if isinstance(length, int) and length > 0 else None for length in value.shape or []]
        place = axes.get(value, 0)
        if place < len(dims) and dims[place] is not None:
            fixed.add(dims[place])
        lengths[str(value.name)] = dims
    size = next((length for length in fixed if length is not None), MANY_SAMPLES) if len(fixed) < 2 else None
    if size is None:
        return None
    shapes = {}
    for value in model.graph.inputs:
        dims, place = lengths[str(value.name)], axes.get(value, 0)
        shapes[str(value.name)] = tuple(size if axis == place else n or _FREE for axis, n in enumerate(dims))
    walk = BatchWalk([], size)
    walk.axis.update({str(value.name): axes.get(value, 0) for value in model.graph.inputs})
    try:
        inferred = infer_shapes(model, shapes)
        for node in model.graph:
            walk.follow(node, inferred)
    except RefusedError:
        return None
    places = {value: walk.axis.get(str(value.name)) for value in model.graph.outputs}
    return {value: axis for value, axis in places.items() if isinstance(axis, int)}


_FREE = 5
"""The length of an axis that the model leaves open."""


def _move_input(graph: ir.Graph, value: ir.Value, axis: int) -> None:
    dims, name = list(value.shape or []), str(value.name)
    there, back = to_front(axis, len(dims))
    value.name = free_name(graph, f"{name}_turned")
    first = ir.Value(name=name, type=value.type, shape=ir.Shape([dims[place] for place in there]))
    graph.inputs[list(graph.inputs).index(value)] = first
    turned = transposed(graph, first, back, f"{name}_as_it_was")
    graph.insert_before(graph[0], turned)
    value.replace_all_uses_with(turned.outputs[0], replace_graph_outputs=True)


def _move_output(graph: ir.Graph, value: ir.Value, axis: int) -> None:
    dims, name = list(value.shape or []), str(value.name)
    there, _ = to_front(axis, len(dims))
    turned = transposed(graph, value, there, f"{name}_turned")
    value.name = free_name(graph, f"{name}_as_it_was")
    result = turned.outputs[0]
    result.name, result.shape = name, ir.Shape([dims[place] for place in there])
    graph.append(turned)
    graph.outputs[list(graph.outputs).index(value)] = result
