"""How far the means of a stream that forgets look back, and the readout by a window.

1. Every LeakyMean gets its time constant: that of the readout, in front of islands too. With a window of L steps it is
   (L + 1) / 2, since an input that has changed takes as long to be seen by both.
2. With a window, the LeakyMean in front of each TimeLast gives way to the mean of the last L steps, or of all while there are
   fewer, in standard operators: a Scan over time that keeps the last L values, so each mean is a sum of the same numbers in the
   same order, whatever the chunks.
3. What the window keeps is a state of the stream: the input ``NODE.window``, ``[1, L, 1, ...]`` at rest, and the output
   ``NODE.window_out``, ``[B, L, ...]``. It stands behind the last neurons, where values are few.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.errors import RefusedError
from converter.graph.build import constant, free_name, operand
from converter.graph.shapes import infer_symbolic
from converter.spiking.codes import FORGETTING
from converter.spiking.expose_states import StreamValues
from snn_ops.format import DOMAIN, N_STEPS, Metadata

WINDOW = "window"
"""The readout by the mean of the last steps."""


def set_time_constants(model: ir.Model, readout: str, steps: int) -> None:
    """Sets those of all means.

    Args:
        model: of the rate code's form that forgets, as `place_time` leaves it.
        readout: "leaky" or "window".
        steps: L, at least 1.
    """
    time_constant = (steps + 2) // 2 if readout == WINDOW else steps
    for node in model.graph:
        if node.domain == DOMAIN and node.op_type == FORGETTING.mean:
            node.attributes["steps"] = ir.AttrInt64("steps", time_constant)


def finish_readout(model: ir.Model, readout: str, steps: int) -> None:
    """Puts the window where the answer is read, if there is to be one, and writes the readout into the metadata.

    Args:
        model, readout, steps: as for `set_time_constants`, which was called before.
    """
    if readout == WINDOW:
        infer_symbolic(model)
        values = StreamValues()
        for node in list(model.graph):
            if node.domain == DOMAIN and node.op_type == FORGETTING.readout:
                node.replace_input_with(0, _window(model.graph, _mean_before(node), steps, values))
        values.write(model)
        common_passes.RemoveUnusedNodesPass()(model)
    metadata = Metadata.read(model.metadata_props) | Metadata(readout=readout, readout_steps=steps)
    metadata.write(model.metadata_props)


def _mean_before(node: ir.Node) -> ir.Node:
    """The mean that the readout takes, through transposes of which the second undoes the first."""
    value = node.inputs[0]
    while value is not None and (producer := value.producer()) is not None:
        if producer.op_type == FORGETTING.mean:
            return producer
        value = producer.inputs[0]
    raise AssertionError(node.name)


def _window(graph: ir.Graph, mean: ir.Node, steps: int, values: StreamValues) -> ir.Value:
    """The mean of the last steps of what the node takes the mean of, ``[T*B, ...]``."""
    x, n_steps, name = mean.inputs[0], operand(mean, N_STEPS), f"{mean.name}_window"
    assert x is not None
    if x.shape is None:
        raise RefusedError("the rank of what it keeps is unknown; use --readout leaky", node=mean.name)
    dtype = ir.DataType.DOUBLE if x.dtype == ir.DataType.DOUBLE else ir.DataType.FLOAT
    element, rank = dtype.numpy(), len(x.shape)
    new: list[ir.Node] = []

    def add(op_type: str, inputs: Sequence[ir.Value], what: str, **attributes: int) -> ir.Value:
        new.append(ir.node(op_type, inputs, attributes, name=free_name(graph, f"{name}_{what}")))
        new[-1].outputs[0].name = new[-1].name
        return new[-1].outputs[0]

    def numbers(what: str, array: Sequence[int], kind: type = np.int64) -> ir.Value:
        return constant(graph, f"{name}_{what}", np.asarray(array, kind))

    one, length = numbers("one", [1]), numbers("length", [steps])
    step, rest = values.step(graph), np.zeros((1, steps, *[1] * (rank - 1)), element)
    last = values.state(graph, f"{mean.name}.{WINDOW}", rest)
    rows = add("Shape", [x], "rows", start=0, end=1)
    steps_1d = add("Reshape", [n_steps, one], "steps")
    batch = add("Div", [rows, steps_1d], "batch")
    inner = add("Shape", [x], "inner", start=1)
    time_shape = add("Concat", [steps_1d, batch, inner], "time_shape", axis=0)
    split = add("Reshape", [x, time_shape], "through_time", allowzero=1)
    through_time = add("Cast", [split], "cast", to=int(dtype))
    begin = add("Expand", [last, add("Concat", [batch, length, inner], "shape", axis=0)], "begin")
    scan = ir.node(
        "Scan",
        [begin, through_time],
        {"num_scan_inputs": 1, "body": _body(name, steps, dtype)},
        outputs=[ir.Value(name=free_name(graph, made)) for made in (f"{last.name}_out", f"{name}_sums")],
        name=name,
    )
    new.append(scan)
    values.result(graph, last, scan.outputs[0], [steps, *x.shape[1:]])
    done = add("Add", [step, n_steps], "done")
    first, unit = numbers("first", 1), numbers("unit", 1)  # type: ignore[arg-type]
    counts = add("Range", [add("Add", [step, first], "from"), add("Add", [done, unit], "to"), unit], "counts")
    of_window = add("Cast", [add("Min", [counts, length], "at_most")], "divisors_flat", to=int(dtype))
    divisors = add("Reshape", [of_window, numbers("column", [-1, *[1] * rank])], "divisors")
    means = add("Div", [scan.outputs[1], divisors], "means")
    if x.dtype is not None and x.dtype != dtype:
        means = add("Cast", [means], "cast_back", to=int(x.dtype))
    merged = add("Reshape", [means, add("Shape", [x], "merged_shape")], "merged", allowzero=1)
    merged.type, merged.shape = x.type, x.shape
    graph.insert_after(mean, new)
    values.count(graph, step, done)
    return merged


def _body(name: str, steps: int, dtype: ir.DataType) -> ir.Graph:
    """A step: (the last L values, x) -> (the last L values with x, their sum)."""
    kept, x = (ir.Value(name=f"{name}_{what}", type=ir.TensorType(dtype)) for what in ("kept", "x"))
    numbers = {
        what: ir.tensor(np.asarray([number], np.int64), name=f"{name}_body_{what}")
        for what, number in (("first", 1), ("end", steps), ("axis", 1))
    }
    constants = {what: ir.node("Constant", [], {"value": tensor}, name=tensor.name) for what, tensor in numbers.items()}
    first, end, axis = (node.outputs[0] for node in constants.values())
    later = ir.node("Slice", [kept, first, end, axis], name=f"{name}_later")
    column = ir.node("Unsqueeze", [x, axis], name=f"{name}_column")
    window = ir.node("Concat", [later.outputs[0], column.outputs[0]], {"axis": 1}, name=f"{name}_kept_next")
    total = ir.node("ReduceSum", [window.outputs[0], axis], {"keepdims": 0}, name=f"{name}_sum")
    for node in (window, total):
        node.outputs[0].type = ir.TensorType(dtype)
    nodes = [*constants.values(), later, column, window, total]
    return ir.Graph([kept, x], [window.outputs[0], total.outputs[0]], nodes=nodes, name=name)
