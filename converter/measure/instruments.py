"""Spiking models with further outputs: what they give after each of several steps, spikes per neuron, means of layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as common_passes

from converter.graph.build import (
    add_functions,
    captured,
    constant,
    free_name,
    operand,
    operator_node,
    operator_of,
    to_proto,
)
from converter.neurons.neuron import Placed
from converter.spiking.codes import DELTA, RATE, READOUTS
from converter.spiking.regions import find_regions, runs_through_time
from snn_ops.format import DOMAIN, N_STEPS, Metadata
from snn_ops.ops import OPERATORS, Time, Unit

MARK = "@onnx_snn:"
"""In the names of outputs that are there to measure: no model has such names of its own."""
RATE_SUFFIX = f"{MARK}spike_rate"
MEAN_SUFFIX = f"{MARK}mean_over_time"
SPIKES_SUFFIX = f"{MARK}spikes_of_all_steps"
EVENTS_SUFFIX = f"{MARK}steps_with_spikes"
FIRST_EVENTS_SUFFIX = f"{MARK}spiking_at_first"
BY_STEP_SUFFIX = f"{MARK}spikes_by_step"
DENSITY_SUFFIX = f"{MARK}share_that_is_not_zero"


@dataclass(frozen=True)
class Readout:
    """A spiking model up to its tail, that gives what goes into the tail after each of K numbers of steps.

    Attributes:
        model: its outputs are ``[K, B, ...]``, and the spikes of each neuron, summed over samples and steps, ``[1, ...]``, or
            with `counted` of each step, ``[T, ...]``.
        same: names of the outputs that are the same at every step, ``[B, ...]``: those from before the neurons, and those that
            do not depend on samples.
    """

    model: onnx.ModelProto
    same: list[str]


def with_readout(proto: onnx.ModelProto, steps: Sequence[int], *, counted: bool = False) -> Readout:
    """The model up to its tail, with what goes into this after each of `steps`, and the layers' spikes."""
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    means, same = _into_tail(model)
    counts = (_add_counts_by_step if counted else _add_spike_counts)(graph, n_steps)
    chosen = constant(graph, "readout_steps", np.asarray(steps, np.int64) - 1)
    graph.outputs.clear()
    graph.outputs.extend([*(_read_out(graph, mean, n_steps, chosen) for mean in means), *same, *counts])
    Metadata.read(model.metadata_props).without("states").write(model.metadata_props)  # it runs once, not as a stream
    common_passes.RemoveUnusedNodesPass()(model)
    add_functions(model)
    return Readout(to_proto(model), [str(value.name) for value in same])


def tail_of(proto: onnx.ModelProto, types: Mapping[str, str]) -> onnx.ModelProto | None:
    """What comes after the last neurons as a separate model, ``[B, ...] -> [B, ...]``; None if there is nothing.

    Args:
        proto: the spiking model.
        types: of the outputs of `with_readout`'s model, in ONNX Runtime's words; they are the inputs.
    """
    model = ir.from_proto(proto)
    graph = model.graph
    means, same = _into_tail(model)
    taken = [*(mean.outputs[0] for mean in means), *same]
    after = _after_readouts(model)
    outputs = [value for value in graph.outputs if value.producer() in after]
    graph.remove(node for node in list(graph) if node not in after)
    graph.inputs.clear()
    for name in (str(value.name) for value in taken):
        element = ir.DataType[types[name].removeprefix("tensor(").removesuffix(")").upper()]
        graph.inputs.append(ir.Value(name=name, type=ir.TensorType(element)))  # ONNX knows it by its name
    graph.outputs.clear()
    graph.outputs.extend(outputs)
    common_passes.RemoveUnusedNodesPass()(model)
    return to_proto(model) if outputs else None


def _into_tail(model: ir.Model) -> tuple[list[ir.Node], list[ir.Value]]:
    """The inputs of the tail and the outputs: means over time, and values that are the same at every step."""
    after, temporal = _after_readouts(model), find_regions(model).temporal
    inputs = [value for node in after for value in (*node.inputs, *captured(node))]
    wanted = [v for v in (*inputs, *model.graph.outputs) if v is not None and not v.is_initializer()]
    by_producer = [(value.producer(), value) for value in dict.fromkeys(wanted)]
    means = [node for node, value in by_producer if node is not None and _is_readout(node) and value is node.outputs[0]]
    same = [
        v for node, v in by_producer if node is None or not (node in after or node in temporal or _is_readout(node))
    ]
    return means, same


def _after_readouts(model: ir.Model) -> dict[ir.Node, None]:
    """The tail without the means over time and the transposes of their inputs."""
    before: set[ir.Node | None] = set()
    for node in reversed(model.graph):
        if _is_readout(node) or node in before:
            before |= {node, *(value.producer() for value in node.inputs if value is not None)}
    tail = find_regions(model).tail
    return dict.fromkeys(node for node in model.graph if node in tail and node not in before)


def _is_readout(node: ir.Node) -> bool:
    return node.op_type in READOUTS and node.domain == DOMAIN


def _read_out(graph: ir.Graph, mean: ir.Node, n_steps: ir.Value, chosen: ir.Value) -> ir.Value:
    """TimeMean(x) -> [K, B, ...]: the running mean, split into steps, those chosen. Of TimeLast, x itself."""
    x = mean.inputs[0]
    assert x is not None
    name = str(mean.name)
    if mean.op_type == DELTA.readout:
        running = ir.node("Identity", [x], name=f"{name}_running")
    else:
        running = operator_node(graph, "RunningMean", f"{name}_running", x, n_steps)
    batch = ir.node("Shape", [mean.outputs[0]], {"start": 0}, name=f"{name}_shape")
    one = constant(graph, f"{name}_one", np.asarray([1], np.int64))
    steps = ir.node("Reshape", [n_steps, one], name=f"{name}_all_steps")
    through_time = ir.node("Concat", [steps.outputs[0], batch.outputs[0]], {"axis": 0}, name=f"{name}_time_shape")
    split = ir.node("Reshape", [running.outputs[0], through_time.outputs[0]], {"allowzero": 1}, name=f"{name}_split")
    pick = ir.node("Gather", [split.outputs[0], chosen], {"axis": 0}, name=f"{name}_chosen")
    graph.insert_after(mean, [running, batch, steps, through_time, split, pick])
    result = pick.outputs[0]
    result.name, mean.outputs[0].name = mean.outputs[0].name, free_name(graph, f"{mean.outputs[0].name}_last")
    result.type = mean.outputs[0].type
    return result


def add_spike_rates(graph: ir.Graph, layers: Collection[str] | None = None) -> None:
    """A scalar output per layer: spikes per neuron and step, each of a burst counted and those taken back as well.

    Args:
        graph: of a spiking model.
        layers: the layers' names; default: all.
    """
    for node in list(graph):
        if not emits_spikes(node) or (layers is not None and node.name not in layers):
            continue
        name = f"{node.name}{RATE_SUFFIX}"
        counting = _counting(graph, node, name)
        to_float = {"to": int(ir.DataType.FLOAT)}
        counting.append(ir.node("Cast", [counting[-1].outputs[0]], to_float, name=f"{name}_float"))
        rate = ir.node("ReduceMean", [counting[-1].outputs[0]], {"keepdims": 0}, name=name)
        rate.outputs[0].name = name
        rate.outputs[0].type, rate.outputs[0].shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape([])
        graph.insert_after(node, [*counting, rate])
        graph.outputs.append(rate.outputs[0])


def emits_spikes(node: ir.Node) -> bool:
    """Whether the node's first output is spikes, or their running sum."""
    return node.domain == DOMAIN and OPERATORS[node.op_type].height is not None


def spike_train(node: ir.Node) -> ir.Node | None:
    """A node, not yet in the graph, that gives the spikes of which this one gives the mean; None where this one gives spikes.

    It takes T values for each neuron, so it stands only where somebody asks for the spikes.
    """
    operator = operator_of(node)
    if not operator.train:
        return None
    inputs = {tensor.name: value for tensor, value in zip(operator.inputs, node.inputs, strict=True)}
    train = OPERATORS[operator.train]
    mean, n_steps = node.outputs[0], operand(node, N_STEPS)
    return ir.node(
        train.name,
        [mean, n_steps, *(inputs[tensor.name] for tensor in train.inputs[2:])],
        {**train.defaults, "constant_current": 1},
        domain=DOMAIN,
        version=node.version,
        outputs=[
            ir.Value(name=f"{node.name}{MARK}train", type=mean.type),
            *(ir.Value(name="") for _ in train.outputs[1:]),
        ],
        name=f"{node.name}_train",
    )


def _counting(graph: ir.Graph, node: ir.Node, name: str) -> list[ir.Node]:
    """Nodes that turn spikes into how many they are: |spikes| / height where a step may have several, else 0 or 1."""
    train, height = spike_train(node), OPERATORS[node.op_type].height
    before, spikes = ([train], train.outputs[0]) if train is not None else ([], node.outputs[0])
    assert height is not None
    if height.unit is Unit.DIFFERENTIAL:
        return _counting_changes(graph, node, name)
    if height.unit is not Unit.COUNTED:
        return [*before, ir.node("Cast", [spikes], {"to": int(ir.DataType.BOOL)}, name=f"{name}_bool")]
    size = ir.node("Abs", [spikes], name=f"{name}_size")
    one = ir.node("CastLike", [operand(node, height.parameter), spikes], name=f"{name}_height")
    counting = [*before, size, one, ir.node("Div", [size.outputs[0], one.outputs[0]], name=f"{name}_quotient")]
    if height.per_dt:  # the operand is the area of a spike
        dt = ir.node("Constant", [], {"value_float": node.attributes["dt"].as_float()}, name=f"{name}_dt")
        same_type = ir.node("CastLike", [dt.outputs[0], spikes], name=f"{name}_dt_cast")
        times = ir.node("Mul", [counting[-1].outputs[0], same_type.outputs[0]], name=f"{name}_times_dt")
        counting += [dt, same_type, times]
    if not OPERATORS[node.op_type].gives_mean:
        counting.append(ir.node("Round", [counting[-1].outputs[0]], name=f"{name}_count"))
    return counting


def _counting_changes(graph: ir.Graph, node: ir.Node, name: str) -> list[ir.Node]:
    """The same for a running sum, of at most one spike a step: where it differs from the step before, also of an earlier call.

    Of several spikes a step, as in the two-phase schedule, the neuron is run again, slot by slot; that is right for one step.
    """
    n_steps, before = node.inputs[1], []
    assert n_steps is not None
    total = node.outputs[0]
    at_once = OPERATORS[node.op_type].time is Time.AT_ONCE
    if at_once or node.attributes["max_spikes"].as_int() > 1:
        target = node.inputs[0]
        assert target is not None
        if not at_once:
            n_steps = constant(graph, f"{name}_slots_of_a_step", np.asarray(node.attributes["max_spikes"].as_int()))
        slots = operator_node(
            graph, "MultiThreshold", f"{name}_slots", target, n_steps, attributes={"constant_current": 1}
        )
        operator = OPERATORS[node.op_type]
        for same in [*(p.name for p in operator.parameters), *(s.name for s in operator.states)]:
            slots.replace_input_with(slots.inputs.index(operand(slots, same)), operand(node, same))
        before, total = [slots], slots.outputs[0]

    def step(op_type: str, inputs: Sequence[ir.Value], what: str, **attributes: int) -> ir.Value:
        before.append(ir.node(op_type, inputs, attributes, name=f"{name}_{what}"))
        return before[-1].outputs[0]

    one, none, last = (
        constant(graph, f"{name}_{what}", np.asarray([number], np.int64))
        for what, number in (("one", 1), ("none", 0), ("last", -1))
    )
    rows = step("Reshape", [n_steps, one], "rows")
    neurons = step("Shape", [total], "neurons", start=1)
    split = step("Reshape", [total, step("Concat", [rows, last, neurons], "shape", axis=0)], "split")
    one_step = step("Concat", [one, step("Shape", [split], "of_a_step", start=1)], "first_shape", axis=0)
    first = step("Expand", [step("CastLike", [_value_before(node, step), total], "value_before"), one_step], "first")
    earlier = step("Concat", [first, step("Slice", [split, none, last, none], "earlier")], "before", axis=0)
    changes = step("Not", [step("Equal", [split, earlier], "stays")], "changes")
    step("Reshape", [changes, step("Concat", [last, neurons], "merged_shape", axis=0)], "merged")
    return before


def _value_before(node: ir.Node, step: Callable[..., ir.Value]) -> ir.Value:
    """What a neuron of the delta code has sent before this call: its resting value, and in a stream what came since."""
    rest = operand(node, "resting_value")
    if "sent" not in (tensor.name for tensor in operator_of(node).inputs):
        return rest
    since = step("Mul", [operand(node, "threshold"), operand(node, "sent")], "sent_before")
    return step("Add", [rest, since], "with_rest")


def with_spike_counts(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the spikes of each layer's neurons as further outputs, summed over steps and samples, ``[1, ...]``."""
    model = ir.from_proto(proto)
    n_steps = next(value for value in model.graph.inputs if value.name == N_STEPS)
    model.graph.outputs.extend(_add_spike_counts(model.graph, n_steps))
    add_functions(model)
    return to_proto(model)


SAMPLE_SPIKES = f"{MARK}spikes_of_each_sample"
"""The output of `with_sample_spikes`."""


def with_sample_spikes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the spikes of each sample as a further output, summed over steps, neurons and layers: int64, ``[B]``."""
    model = ir.from_proto(proto)
    graph = model.graph
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    defaults = {str(value.name) for value in graph.initializers.values()}
    sample = next(value for value in graph.inputs if value.name not in defaults)
    totals = [_add_sample_count(graph, node, n_steps, sample) for node in list(graph) if emits_spikes(node)]
    if not totals:
        return proto
    total = totals[0]
    for index, other in enumerate(totals[1:]):
        graph.append(ir.node("Add", [total, other], name=f"{SAMPLE_SPIKES}_{index}"))
        total = graph[-1].outputs[0]
    total.name, total.type, total.shape = SAMPLE_SPIKES, ir.TensorType(ir.DataType.INT64), ir.Shape([None])
    graph.outputs.append(total)
    add_functions(model)
    return to_proto(model)


def _add_sample_count(graph: ir.Graph, node: ir.Node, n_steps: ir.Value, sample: ir.Value) -> ir.Value:
    """The spikes of a layer for each sample, ``[B]``, at the end of the graph.

    They are summed over neurons in float32, exact to 2^24 spikes in a step, and over steps in int64.
    """
    chain = _Chain(f"{node.name}_of_a_sample", _counting(graph, node, f"{node.name}_counts"))
    operator = OPERATORS[node.op_type]
    count = chain.step("Cast", [chain.nodes[-1].outputs[0]], "float", to=int(ir.DataType.FLOAT))
    if operator.height is not None and operator.height.unit is Unit.COUNTED and operator.gives_mean:
        steps = chain.step("Cast", [n_steps], "steps", to=int(ir.DataType.FLOAT))
        count = chain.step("Round", [chain.step("Mul", [count, steps], "of_all_steps")], "whole")
    last, first = (constant(graph, f"{chain.name}_{n}", np.asarray([n], np.int64)) for n in (-1, 0))
    axis = constant(graph, f"{chain.name}_neurons", np.asarray([1], np.int64))
    flat = chain.step("Flatten", [count], "flat", axis=1)
    rows = chain.step("ReduceSum", [flat, axis], "rows", keepdims=0)
    whole = chain.step("Cast", [rows], "integers", to=int(ir.DataType.INT64))
    samples = chain.step("Shape", [sample], "samples", start=0, end=1)
    shape = chain.step("Concat", [last, samples], "shape", axis=0)
    split = chain.step("Reshape", [whole, shape], "by_step")
    chain.step("ReduceSum", [split, first], "total", keepdims=0)
    graph.extend(chain.nodes)
    return chain.nodes[-1].outputs[0]


def _add_counts_by_step(graph: ir.Graph, n_steps: ir.Value) -> list[ir.Value]:
    """A value ``[T, ...]`` per layer, not yet an output: spikes of each neuron in each step, summed over samples."""
    one, last, samples = (
        constant(graph, f"counts_by_step_{what}", np.asarray([number], np.int64))
        for what, number in (("one", 1), ("last", -1), ("axis", 1))
    )
    counts = []
    for node in [node for node in graph if emits_spikes(node)]:
        name = f"{node.name}{BY_STEP_SUFFIX}"
        nodes = _counting(graph, node, name)
        to_float = {"to": int(ir.DataType.FLOAT)}
        count = ir.node("Cast", [nodes[-1].outputs[0]], to_float, name=f"{name}_float")
        steps = ir.node("Reshape", [n_steps, one], name=f"{name}_all_steps")
        neurons = ir.node("Shape", [count.outputs[0]], {"start": 1}, name=f"{name}_all_neurons")
        shape = ir.node("Concat", [steps.outputs[0], last, neurons.outputs[0]], {"axis": 0}, name=f"{name}_by_sample")
        split = ir.node("Reshape", [count.outputs[0], shape.outputs[0]], name=f"{name}_samples")
        total = ir.node("ReduceSum", [split.outputs[0], samples], {"keepdims": 0}, name=name)
        total.outputs[0].name, total.outputs[0].type = name, ir.TensorType(ir.DataType.FLOAT)
        graph.insert_after(node, [*nodes, count, steps, neurons, shape, split, total])
        counts.append(total.outputs[0])
    return counts


def _add_spike_counts(graph: ir.Graph, n_steps: ir.Value) -> list[ir.Value]:
    """A value ``[1, ...]`` per layer, not yet an output: spikes of each neuron, summed over steps and samples."""
    return [_add_count(graph, node, n_steps).total for node in list(graph) if emits_spikes(node)]


def with_layer_means(
    model: ir.Model, layers: Sequence[Placed], *, counted: bool = False, dense: Collection[str] = ()
) -> onnx.ModelProto:
    """A copy of the model that returns layers' means over time, ``[B, ...]``, and their spikes.

    Args:
        model: spiking, not yet with functions.
        layers: of neurons; outputs are called by the names of their results and `MEAN_SUFFIX`.
        counted: also the model's own outputs, and instead of a rate for each layer the spikes of each neuron, summed over steps
            and samples, ``[1, ...]``.
        dense: names of layers with weights whose share of inputs that are not zero is returned too.
    """
    copy = model.clone()
    graph = copy.graph
    by_name = {str(value.name): value for node in graph for value in node.outputs}
    n_steps = next(value for value in graph.inputs if value.name == N_STEPS)
    regions = find_regions(copy)
    means = []
    for placed in layers:
        value = by_name[str(placed.y.name)]
        producer = value.producer()
        assert producer is not None
        through_time = runs_through_time(producer) or producer in regions.temporal
        if through_time and not (producer.domain == DOMAIN and OPERATORS[producer.op_type].gives_mean):
            readout = (DELTA if OPERATORS[placed.node.op_type].code == DELTA.name else RATE).readout
            mean = operator_node(graph, readout, f"{value.name}{MEAN_SUFFIX}", value, n_steps)
        else:
            mean = ir.node("Identity", [value], name=f"{value.name}{MEAN_SUFFIX}")
        mean.outputs[0].name = f"{value.name}{MEAN_SUFFIX}"
        graph.insert_after(producer, mean)
        means.append(mean.outputs[0])
    names = {str(placed.node.name) for placed in layers}
    if counted:
        for node in [node for node in graph if node.name in names and emits_spikes(node)]:
            _add_counts(graph, node, n_steps)
        _add_densities(graph, dense)
    else:
        graph.outputs.clear()
        add_spike_rates(graph, names)
    for value in means:
        graph.outputs.append(value)
    common_passes.RemoveUnusedNodesPass()(copy)
    add_functions(copy)
    return to_proto(copy)


@dataclass(frozen=True)
class _Count:
    """Of a layer of neurons.

    Attributes:
        total: the spikes of each neuron, summed over steps and samples, ``[1, ...]``.
        events: whether it spikes, ``[T*B, ...]``; where a step may have several spikes, unlike their number.
        several: a step may have several spikes.
        last: the last node that was inserted.
    """

    total: ir.Value
    events: ir.Value
    several: bool
    last: ir.Node


class _Chain:
    """Nodes to insert one after the other, which are called by a layer's name."""

    def __init__(self, name: str, nodes: Sequence[ir.Node] = ()) -> None:
        self.name, self.nodes = name, list(nodes)

    def step(self, op_type: str, inputs: Sequence[ir.Value], what: str, **attributes: int) -> ir.Value:
        """A node's result."""
        self.nodes.append(ir.node(op_type, inputs, attributes, name=f"{self.name}_{what}"))
        return self.nodes[-1].outputs[0]

    def total(self, graph: ir.Graph, value: ir.Value, output: str) -> ir.Value:
        """The sum over steps and samples, ``[1, ...]``, by this name."""
        axes = constant(graph, f"{output}_axes", np.asarray([0], np.int64))
        total = self.step("ReduceSum", [value, axes], output, keepdims=1)
        total.name, total.type = output, ir.TensorType(ir.DataType.FLOAT)
        return total


def _add_count(graph: ir.Graph, node: ir.Node, n_steps: ir.Value) -> _Count:
    """Nodes after a layer that count its spikes."""
    operator, name = OPERATORS[node.op_type], f"{node.name}_counts"
    chain = _Chain(name, _counting(graph, node, name))
    count = event = chain.step("Cast", [chain.nodes[-1].outputs[0]], "float", to=int(ir.DataType.FLOAT))
    several = operator.height is not None and operator.height.unit is Unit.COUNTED
    if several and operator.gives_mean:  # of T steps, in each of which it sends as many
        steps = chain.step("Cast", [n_steps], "steps", to=int(ir.DataType.FLOAT))
        count = chain.step("Round", [chain.step("Mul", [count, steps], "of_all_steps")], "whole")
        event = chain.step("Min", [count, steps], "steps_with_spikes")
    elif several:
        spikes = chain.step("Cast", [count], "bool", to=int(ir.DataType.BOOL))
        event = chain.step("Cast", [spikes], "event", to=int(ir.DataType.FLOAT))
    total = chain.total(graph, count, f"{node.name}{SPIKES_SUFFIX}")
    graph.insert_after(node, chain.nodes)
    return _Count(total, event, several, chain.nodes[-1])


def _add_counts(graph: ir.Graph, node: ir.Node, n_steps: ir.Value) -> None:
    """Outputs ``[1, ...]``: the spikes of all steps and samples; steps with a spike, of all and of the first step."""
    operator, count = OPERATORS[node.op_type], _add_count(graph, node, n_steps)
    chain = _Chain(f"{node.name}_events")
    if count.several:
        graph.outputs.append(chain.total(graph, count.events, f"{node.name}{EVENTS_SUFFIX}"))
    graph.outputs.append(count.total)
    if not operator.gives_mean or operator.code == DELTA.name:
        one, none = (constant(graph, f"{chain.name}_{n}", np.asarray([n], np.int64)) for n in (1, 0))
        rows = chain.step("Shape", [count.events], "all_rows", start=0, end=1)
        samples = chain.step("Div", [rows, chain.step("Reshape", [n_steps, one], "n_steps")], "rows_of_a_step")
        first = chain.step("Slice", [count.events, none, samples, none], "at_first")
        graph.outputs.append(chain.total(graph, first, f"{node.name}{FIRST_EVENTS_SUFFIX}"))
    graph.insert_after(count.last, chain.nodes)


def _add_densities(graph: ir.Graph, layers: Collection[str]) -> None:
    """A scalar output per layer with weights: the share of the numbers that enter it which are not zero."""
    for node in [node for node in graph if node.name in layers]:
        x = node.inputs[0]
        assert x is not None
        name = f"{node.name}{DENSITY_SUFFIX}"
        bits = ir.node("Cast", [x], {"to": int(ir.DataType.BOOL)}, name=f"{name}_bool")
        numbers = ir.node("Cast", [bits.outputs[0]], {"to": int(ir.DataType.FLOAT)}, name=f"{name}_float")
        share = ir.node("ReduceMean", [numbers.outputs[0]], {"keepdims": 0}, name=name)
        share.outputs[0].name, share.outputs[0].type = name, ir.TensorType(ir.DataType.FLOAT)
        graph.insert_before(node, [bits, numbers, share])
        graph.outputs.append(share.outputs[0])


def without_softmax(model: ir.Model) -> ir.Model:
    """The model with what goes into a Softmax at its end as the output: after it, errors of clear cases vanish."""
    for index, output in enumerate(model.graph.outputs):
        node = output.producer()
        if node is not None and node.op_type in ("Softmax", "LogSoftmax") and node.inputs[0] is not None:
            scores = node.inputs[0]
            if scores.is_graph_output() or scores.producer() is None:  # it goes out under its own name
                continue
            scores.name = f"{output.name}{MARK}before_softmax"
            scores.type, scores.shape = output.type, output.shape
            model.graph.outputs[index] = scores
    return model
