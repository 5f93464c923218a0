"""Puts time where it is needed and nowhere else.

* A neuron whose current is the same at every step takes it as [B, ...] (`constant_current` = 1): what lies before it runs
  once. This is TimeRepeat behind the model's input, sunk through everything that is the same at every step.
* Where such a value meets one that changes (a shortcut around a neuron), TimeRepeat stands in between.
* Behind the last neurons TimeMean takes the mean over time at once: linear layers, Softmax and the rest of the tail run
  once, on the mean. For linear layers this is the same as TimeMean at the end, hoisted.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.batch_axis import BatchAxes
from converter.spiking.regions import find_regions, runs_through_time
from converter.spiking.time_nodes import TimeNodes
from snn_ops.format import BATCH, TIME_BATCH


class PlaceTimePass(ir.passes.InPlacePass):
    """Inserts TimeRepeat and TimeMean, and sets `constant_current`.

    Args:
        n_steps: the model's `n_steps` input.
        axes: which values depend on the samples; the others are constants, the same at every step anyway.
    """

    def __init__(self, n_steps: ir.Value, axes: BatchAxes) -> None:
        super().__init__()
        self._axes = axes
        self._time = TimeNodes(n_steps, axes)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Places time in the main graph."""
        regions = find_regions(model)
        for node in list(model.graph):
            if runs_through_time(node):
                constant = not regions.is_temporal(node.inputs[0])
                node.attributes["constant_current"] = ir.AttrInt64("constant_current", int(constant))
            elif node in regions.temporal:
                for index, value in enumerate(node.inputs):
                    if value is None or value.producer() in regions.temporal | regions.shaped:
                        continue
                    if self._depends_on_samples(value):
                        node.replace_input_with(index, self._time.behind(model.graph, "TimeRepeat", value))
            elif node in regions.tail:
                for index, value in enumerate(node.inputs):
                    if value is not None and regions.is_temporal(value):
                        node.replace_input_with(index, self._time.behind(model.graph, "TimeMean", value))
        for index, value in enumerate(model.graph.outputs):
            if regions.is_temporal(value):
                model.graph.outputs[index] = self._mean_as_output(model.graph, value)
        for node in find_regions(model).temporal:
            for value in node.outputs:
                _say_shape_through_time(value)
        return ir.passes.PassResult(model, True)

    def _depends_on_samples(self, value: ir.Value) -> bool:
        return self._axes.axis.get(str(value.name)) is not None

    def _mean_as_output(self, graph: ir.Graph, value: ir.Value) -> ir.Value:
        """The mean takes over the output's name; the spikes get another."""
        mean = self._time.behind(graph, "TimeMean", value)
        mean.shape = value.shape
        value.name, mean.name = f"{value.name}_spikes", value.name
        return mean


def _say_shape_through_time(value: ir.Value) -> None:
    """[batch, ...] becomes [time_batch, ...]; of a value that does not begin with the batch, only the rank is said."""
    if value.shape is None or len(value.shape) == 0:
        return
    first = value.shape[0]
    begins_with_batch = isinstance(first, ir.SymbolicDim) and first.value == BATCH
    value.shape = ir.Shape([TIME_BATCH, *value.shape.dims[1:]] if begins_with_batch else [None] * len(value.shape))
