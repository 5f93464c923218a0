"""Spiking models with further outputs: what they give after each of several steps, spikes per neuron, means of layers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.graph import add_functions, constant, operand, operator_node, to_proto
from converter.neurons import Placed
from converter.passes.regions import find_regions, runs_through_time
from snn_ops.ops import DOMAIN, OPSET_VERSION
from snn_ops.session import N_STEPS

RATE_SUFFIX = "_spike_rate"
MEAN_SUFFIX = "_mean_over_time"
SPIKING = frozenset("IF LIF AdaptiveLIF Izhikevich SigmaDelta CountIF FewSpike".split())
"""Operators whose outputs are spikes."""
_COUNTED = frozenset({"IF", "SigmaDelta", "CountIF"})
"""Those whose spikes have the height `threshold`, and may be several in a step."""


def with_readout(proto: Any, steps: Sequence[int]) -> Any:
    """The model with its outputs after each of `steps`, and a spike rate for each layer as further outputs.

    TimeMean becomes RunningMean and a choice of steps, so the tail runs on ``[K*B, ...]`` for K numbers of steps, steps
    first. What reaches the tail, or an output, without passing a neuron is repeated K times.
    """
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    regions = find_regions(model)
    by_samples = _depends_on_samples(graph)
    add_spike_rates(graph)
    count = constant(graph, "readout_count", np.asarray(len(steps), np.int64))
    chosen = constant(graph, "readout_steps", np.asarray(steps, np.int64) - 1)
    repeated: dict[ir.Value, ir.Value] = {}
    for node in list(graph):
        if node.op_type == "TimeMean" and node.domain == DOMAIN:
            _read_out(graph, node, n_steps, chosen)
        elif node in regions.tail:
            for index, value in enumerate(node.inputs):
                if value is None or value not in by_samples or value.producer() in regions.tail | regions.temporal:
                    continue
                if value not in repeated:
                    repeated[value] = _repeat(graph, value, count)
                node.replace_input_with(index, repeated[value])
    for index, value in enumerate(graph.outputs):
        if value in by_samples and value.producer() not in regions.tail | regions.temporal:
            graph.outputs[index] = result = _repeat(graph, value, count)
            result.type = value.type
            result.name, value.name = value.name, f"{value.name}_once"
    for value in (*graph.outputs, *(value for node in regions.tail for value in node.outputs)):
        value.shape = value.shape if str(value.name).endswith(RATE_SUFFIX) else None
    add_functions(model)
    return to_proto(model)


def _read_out(graph: ir.Graph, mean: ir.Node, n_steps: ir.Value, chosen: ir.Value) -> None:
    """TimeMean(x) -> [K*B, ...]: the running mean, split into steps, those chosen, merged again."""
    x = mean.inputs[0]
    assert x is not None
    name = str(mean.name)
    uses = list(mean.outputs[0].uses())
    running = operator_node(graph, "RunningMean", f"{name}_running", x, n_steps)
    batch = ir.node("Shape", [mean.outputs[0]], {"start": 0}, name=f"{name}_shape")
    one = constant(graph, f"{name}_one", np.asarray([1], np.int64))
    steps = ir.node("Reshape", [n_steps, one], name=f"{name}_steps")
    through_time = ir.node("Concat", [steps.outputs[0], batch.outputs[0]], {"axis": 0}, name=f"{name}_time_shape")
    split = ir.node("Reshape", [running.outputs[0], through_time.outputs[0]], {"allowzero": 1}, name=f"{name}_split")
    pick = ir.node("Gather", [split.outputs[0], chosen], {"axis": 0}, name=f"{name}_chosen")
    rest = ir.node("Shape", [mean.outputs[0]], {"start": 1}, name=f"{name}_rest")
    minus_one = constant(graph, f"{name}_rows", np.asarray([-1], np.int64))
    merged = ir.node("Concat", [minus_one, rest.outputs[0]], {"axis": 0}, name=f"{name}_merged_shape")
    result = ir.node("Reshape", [pick.outputs[0], merged.outputs[0]], name=f"{name}_readout")
    new = [running, batch, steps, through_time, split, pick, rest, merged, result]
    graph.insert_after(mean, new)
    for user, index in uses:
        user.replace_input_with(index, result.outputs[0])
    for index, value in enumerate(graph.outputs):
        if value is mean.outputs[0]:
            result.outputs[0].name, value.name = value.name, f"{value.name}_last"
            result.outputs[0].type = value.type
            graph.outputs[index] = result.outputs[0]


def _repeat(graph: ir.Graph, value: ir.Value, count: ir.Value) -> ir.Value:
    node = ir.node("TimeRepeat", [value, count], domain=DOMAIN, version=OPSET_VERSION, name=f"{value.name}_for_readout")
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], node)
    else:
        graph.insert_after(producer, node)
    return node.outputs[0]


def _depends_on_samples(graph: ir.Graph) -> set[ir.Value]:
    """Values computed from the inputs, other than through a shape."""
    found = {value for value in graph.inputs if value.name != N_STEPS}
    for node in graph:
        if node.op_type not in ("Shape", "Size") and any(value in found for value in node.inputs):
            found.update(node.outputs)
    return found


def add_spike_rates(graph: ir.Graph, layers: Collection[str] | None = None) -> None:
    """A scalar output per layer: spikes per neuron and step, each of a burst counted and those taken back as well.

    Args:
        graph: of a spiking model.
        layers: the layers' names; default: all.
    """
    for node in list(graph):
        if (
            not runs_through_time(node)
            or node.op_type not in SPIKING
            or (layers is not None and node.name not in layers)
        ):
            continue
        spikes, name = node.outputs[0], f"{node.name}{RATE_SUFFIX}"
        if node.op_type in _COUNTED:
            size = ir.node("Abs", [spikes], name=f"{name}_size")
            height = ir.node("CastLike", [operand(node, "threshold"), spikes], name=f"{name}_height")
            counting = [size, height, ir.node("Div", [size.outputs[0], height.outputs[0]], name=f"{name}_count")]
        else:
            counting = [ir.node("Cast", [spikes], {"to": int(ir.DataType.BOOL)}, name=f"{name}_bool")]
        to_float = {"to": int(ir.DataType.FLOAT)}
        counting.append(ir.node("Cast", [counting[-1].outputs[0]], to_float, name=f"{name}_float"))
        rate = ir.node("ReduceMean", [counting[-1].outputs[0]], {"keepdims": 0}, name=name)
        rate.outputs[0].name = name
        rate.outputs[0].type, rate.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape([])
        graph.insert_after(node, [*counting, rate])
        graph.outputs.append(rate.outputs[0])


def with_rates(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a spike rate for each layer as further outputs."""
    model = ir.from_proto(proto)
    add_spike_rates(model.graph)
    return to_proto(model)


def with_layer_means(model: ir.Model, neurons: Sequence[Placed]) -> onnx.ModelProto:
    """A copy of the model that returns layers' means over time, ``[B, ...]``, and their spike rates, and nothing else.

    Args:
        model: spiking, not yet with functions.
        neurons: the layers; outputs are called by the names of their results and `MEAN_SUFFIX`.
    """
    copy = model.clone()
    graph = copy.graph
    by_name = {str(value.name): value for node in graph for value in node.outputs}
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    regions = find_regions(copy)
    means = []
    for placed in neurons:
        value = by_name[str(placed.y.name)]
        producer = value.producer()
        assert producer is not None
        through_time = runs_through_time(producer) or producer in regions.temporal
        if through_time and producer.op_type not in ("CountIF", "TimeMean"):
            mean = operator_node(graph, "TimeMean", f"{value.name}{MEAN_SUFFIX}", value, n_steps)
        else:
            mean = ir.node("Identity", [value], name=f"{value.name}{MEAN_SUFFIX}")
        mean.outputs[0].name = f"{value.name}{MEAN_SUFFIX}"
        graph.insert_after(producer, mean)
        means.append(mean.outputs[0])
    graph.outputs.clear()
    add_spike_rates(graph, {str(placed.node.name) for placed in neurons})
    for value in means:
        graph.outputs.append(value)
    common_passes.RemoveUnusedNodesPass()(copy)
    add_functions(copy)
    return to_proto(copy)


def without_softmax(model: ir.Model) -> ir.Model:
    """The model with what goes into a Softmax at its end as the output: behind it, errors of clear cases vanish."""
    for index, output in enumerate(model.graph.outputs):
        node = output.producer()
        if node is not None and node.op_type in ("Softmax", "LogSoftmax") and node.inputs[0] is not None:
            scores = node.inputs[0]
            scores.name = f"{output.name}_before_softmax"
            scores.type, scores.shape = output.type, output.shape
            model.graph.outputs[index] = scores
    return model
