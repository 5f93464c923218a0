"""Puts time where it is needed and nowhere else.

* A neuron whose current is the same at every step takes it as [B, ...] (`constant_current` = 1): what comes before it runs
  once. This is TimeRepeat after the model's input, moved through everything that is the same at every step.
* Where such a value meets one that changes (a shortcut around a neuron), TimeRepeat stands in between.
* After the last neurons the code's readout takes the value out of time at once: linear layers, Softmax and the rest of the
  tail run once. With the rate code that is TimeMean, for linear layers the same as TimeMean at the end; with the delta code
  TimeLast; in streams that forget TimeLast of LeakyMean.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes
from converter.graph.batch_rules import Axis
from converter.graph.build import free_name
from converter.graph.passes import Lines, PassReport
from converter.spiking.codes import RATE, Code
from converter.spiking.regions import Regions, find_regions, runs_through_time
from converter.spiking.time_nodes import TimeNodes
from snn_ops.format import BATCH, TIME_BATCH


def place_time(model: ir.Model, n_steps: ir.Value, axes: BatchAxes, code: Code = RATE) -> tuple[PassReport, BatchAxes]:
    """Inserts TimeRepeat and the code's readout into the main graph, and sets `constant_current`.

    Args:
        model: a trained model in which neurons have been placed.
        n_steps: its `n_steps` input.
        axes: where the samples lie. A value that does not depend on them is a constant, the same at every step anyway.
        code: how spikes carry values.

    Returns:
        The report, and where the samples lie, of new values too.
    """
    lines, time, regions = Lines("place time"), TimeNodes(n_steps, axes), find_regions(model)
    for node in list(model.graph):
        if runs_through_time(node):
            constant = not regions.is_temporal(node.inputs[0])
            node.attributes["constant_current"] = ir.AttrInt64("constant_current", int(constant))
            if constant:
                lines.changed(node, "its current is the same at every step, and is computed once")
        elif node in regions.temporal:
            _repeat_what_stays(node, regions, axes, time, lines)
        elif node in regions.tail:
            _take_out_of_time(node, regions, time, lines, code)
    spikes: dict[str, Axis] = {}
    for index, value in enumerate(model.graph.outputs):
        if regions.is_temporal(value):
            lines.changed(f"output {value.name!r}", f"is taken out of time by {_readout(code)}")
            axis = axes.axis.get(str(value.name))
            model.graph.outputs[index] = _result_as_output(model.graph, value, time, code)
            spikes[str(value.name)] = axis
    for node in find_regions(model).temporal:
        for value in node.outputs:
            _say_shape_through_time(value)
    return lines.report(), time.axes.with_values(spikes)


def _repeat_what_stays(node: ir.Node, regions: Regions, axes: BatchAxes, time: TimeNodes, lines: Lines) -> None:
    """Inputs that are the same at every step, of a node that runs at every step."""
    assert node.graph is not None
    for index, value in enumerate(node.inputs):
        if value is None or value.producer() in regions.temporal | regions.shaped:
            continue
        if axes.axis.get(str(value.name)) is not None:
            node.replace_input_with(index, time.after(node.graph, "TimeRepeat", value))
            lines.changed(node, f"runs at every step, where {value.name!r} is repeated for it")


def _take_out_of_time(node: ir.Node, regions: Regions, time: TimeNodes, lines: Lines, code: Code) -> None:
    """Inputs that change, of a node that runs once."""
    assert node.graph is not None
    for index, value in enumerate(node.inputs):
        if value is not None and regions.is_temporal(value):
            node.replace_input_with(index, _read_out(node.graph, value, time, code))
            lines.changed(node, f"runs once, on what {_readout(code)} gives of {value.name!r}")


def _read_out(graph: ir.Graph, value: ir.Value, time: TimeNodes, code: Code) -> ir.Value:
    """What the code's readout makes of a value that changes."""
    if code.mean_read_out:
        value = time.after(graph, code.mean, value)
    return time.after(graph, code.readout, value)


def _readout(code: Code) -> str:
    return f"{code.readout} of {code.mean}" if code.mean_read_out else code.readout


def _result_as_output(graph: ir.Graph, value: ir.Value, time: TimeNodes, code: Code) -> ir.Value:
    """The result gets the output's name; what runs through time gets another."""
    result = _read_out(graph, value, time, code)
    result.shape = value.shape
    value.name, result.name = free_name(graph, f"{value.name}_spikes"), value.name
    return result


def _say_shape_through_time(value: ir.Value) -> None:
    """[batch, ...] becomes [time_batch, ...]; of a value that does not begin with the batch, only the rank is said."""
    if value.shape is None or len(value.shape) == 0:
        return
    first = value.shape[0]
    begins_with_batch = isinstance(first, ir.SymbolicDim) and first.value == BATCH
    value.shape = ir.Shape([TIME_BATCH, *value.shape.dims[1:]] if begins_with_batch else [None] * len(value.shape))
