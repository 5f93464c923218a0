"""The ways from neurons to the layers behind them: what a spike reaches that passes pools, sums, concatenations and the like.

Between a neuron and the next weights stand operations without weights that are linear, so that each spike may be followed by
itself. A route tells how many spikes arrive at each element of a layer's input, if every spike is sent along every connection:

    AveragePool, ReduceMean, Resize   a spike arrives at each window, or result, that it is part of
    Add, Sub, Sum, Mean               the spikes of all operands arrive
    Concat, Reshape, Slice, Pad, ...  spikes go where the numbers go
    Mul, Div by constants             a spike arrives where the factor is not 0

What is not linear in it, or has weights itself, gives numbers that are no spikes: a layer multiplies them in every step in
which it runs. A route is followed with the spikes of one sample, without time, node by node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir

from converter.graph.build import constant_of, depending_on_inputs
from converter.graph.op_facts import facts, is_linear
from converter.graph.run import Feed, Probe, start_quietly, zeros
from converter.graph.shapes import Shapes
from converter.measure.fan_out import is_layer
from converter.measure.instruments import emits_spikes
from snn_ops.format import DOMAIN, N_STEPS
from snn_ops.ops import OPERATORS, Time

_SAME = frozenset({"Identity", "Cast", "CastLike", "Dropout", "Neg", "BatchNormalization"})
_SUMS = frozenset({"Add", "Sub", "Sum", "Mean"})
_WINDOWS = {"AveragePool": "LpPool", "GlobalAveragePool": "GlobalLpPool", "ReduceMean": "ReduceSum"}
"""Means, and what gives the sum of the same numbers, where these are not negative."""


@dataclass(frozen=True)
class Arrivals:
    """What reaches a layer's input, for one sample.

    Attributes:
        spikes: how many spikes arrive at each element, by the name of the neurons' node.
        analog: which elements get numbers that are no spikes, as 0 and more.
    """

    spikes: Mapping[str, np.ndarray]
    analog: np.ndarray

    @property
    def is_analog(self) -> np.ndarray:
        """Elements whose number has to be multiplied, as 0 and 1."""
        return (self.analog > 0).astype(float)


@dataclass
class Routes:
    """The routes of a spiking model.

    Args:
        model: not yet with functions.
        sample_shapes: of the model's inputs, for one sample.
        libraries: with operators of others that it has.
    """

    model: ir.Model
    sample_shapes: Shapes
    libraries: Sequence[str] = ()
    _changing: set[ir.Value] = field(init=False)
    _known: dict[ir.Value, np.ndarray] = field(init=False, default_factory=dict)
    _sources: dict[ir.Value, frozenset[ir.Value]] = field(init=False, default_factory=dict)
    _sessions: dict[ir.Node, _Single] = field(init=False, default_factory=dict)
    _through_time: set[ir.Value] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._changing = depending_on_inputs(self.model.graph)
        needed: dict[ir.Value, None] = {}
        for node in self.model.graph:
            self._follow_time(node)
            for value in node.outputs:
                self._sources[value] = self._found(node, value)
            if self._passes(node):
                needed.update(dict.fromkeys(v for v in node.inputs if v is not None and not self.changes(v)))
        constants = {value: constant_of(value) for value in needed}
        self._known |= {value: array for value, array in constants.items() if array is not None}
        self._probe([value for value, array in constants.items() if array is None])

    def changes(self, value: ir.Value | None) -> bool:
        """Whether the value depends on the samples."""
        return value is not None and value in self._changing

    def is_in_time(self, value: ir.Value) -> bool:
        """Whether the value has a number for every step."""
        return value in self._through_time

    def runs_in_time(self, node: ir.Node) -> bool:
        """Whether the node is run in every step."""
        return any(self.is_in_time(value) for value in node.inputs if value is not None)

    def sources(self, value: ir.Value) -> frozenset[ir.Value]:
        """Where its numbers come from: outputs of neurons, and values that are no spikes."""
        return self._sources.get(value, frozenset({value} if self.changes(value) else ()))

    def spikes(self, value: ir.Value) -> bool:
        """Whether nothing but spikes, and constants, arrives."""
        found = self.sources(value)
        return bool(found) and all(_is_neuron(source) for source in found)

    def arrivals(self, value: ir.Value, counts: Mapping[str, np.ndarray], shape: Sequence[int]) -> Arrivals:
        """Follows the spikes.

        Args:
            value: the input of a layer.
            counts: spikes of each neuron, ``[1, ...]``, by the name of the neurons' node.
            shape: of the value, for one sample.
        """
        neurons = {s: str(s.producer().name) for s in self.sources(value) if _is_neuron(s)}  # type: ignore[union-attr]
        analog = [source for source in self.sources(value) if source not in neurons]
        spikes = {
            name: self._spread(value, {source: self._whole(source, counts[name])}).reshape(shape)
            for source, name in neurons.items()
            if name in counts
        }
        if not analog:
            return Arrivals(spikes, np.zeros(()))
        if not neurons:
            return Arrivals({}, np.ones(()))
        self._probe([source for source in analog if source not in self._known])
        ones = {source: np.ones_like(self._known[source], dtype=float) for source in analog}
        return Arrivals(spikes, self._spread(value, ones).reshape(shape))

    def _follow_time(self, node: ir.Node) -> None:
        if node.domain == DOMAIN and OPERATORS[node.op_type].time in (Time.STEPS, Time.REPEAT):
            self._through_time.add(node.outputs[0])
        elif not facts(node).reads_shape and not _leaves_time(node) and self.runs_in_time(node):
            self._through_time.update(node.outputs)

    def _found(self, node: ir.Node, value: ir.Value) -> frozenset[ir.Value]:
        if not self.changes(value):
            return frozenset()
        if emits_spikes(node) or not self._passes(node):
            return frozenset({value})
        return frozenset().union(*(self.sources(v) for v in self._signals(node)))

    def _passes(self, node: ir.Node) -> bool:
        """Whether spikes go through the node."""
        if node.domain == DOMAIN:
            return OPERATORS[node.op_type].time in (Time.LAST, Time.REPEAT)
        return not is_layer(node) and not facts(node).recurrent and is_linear(node, self.changes)

    def _signals(self, node: ir.Node) -> list[ir.Value]:
        inputs = node.inputs[:1] if node.domain == DOMAIN else node.inputs
        return [value for value in inputs if value is not None and self.changes(value)]

    def _spread(self, value: ir.Value, given: Mapping[ir.Value, np.ndarray]) -> np.ndarray:
        """What arrives at a value, if this much comes from some sources and nothing from the others."""
        done: dict[ir.Value, np.ndarray] = {}

        def arrived(value: ir.Value) -> np.ndarray:
            if value in given:
                return given[value]
            if value not in done:
                node = value.producer()
                if self.sources(value) == {value} or node is None or not self.changes(value):
                    done[value] = self._nothing(value)
                else:
                    inputs = [
                        None if v is None else arrived(v) if self.changes(v) else self._known[v] for v in node.inputs
                    ]
                    if node.domain == DOMAIN:
                        inputs = inputs[:1]
                    done.update(zip(node.outputs, self._through(node, inputs), strict=False))
            return done[value]

        return arrived(value)

    def _whole(self, source: ir.Value, count: np.ndarray) -> np.ndarray:
        """A sample's spikes on its rows, evenly: where windows share the axis of the samples, it has several."""
        shape = self._nothing(source).shape
        return np.broadcast_to(count / (shape[0] if shape else 1), shape)

    def _nothing(self, value: ir.Value) -> np.ndarray:
        """Zeros in the shape of a value that was not asked for."""
        if value not in self._known:
            self._probe([value])
        return np.zeros(self._known[value].shape)

    def _through(self, node: ir.Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        """What leaves a node that spikes go through."""
        changing = [self.changes(value) for value in node.inputs]
        given = [array for array in inputs if array is not None]
        if node.domain == DOMAIN or node.op_type in _SAME:
            return [given[0]]
        if node.op_type in _SUMS:
            return [np.sum(np.broadcast_arrays(*_signals_alone(inputs, changing)), axis=0)]
        if node.op_type == "Mul":
            signal, factor = given if changing[0] else given[::-1]
            return [signal * (factor != 0)]
        if node.op_type == "Div":
            return [given[0] * np.ones_like(given[1], float)]
        if node.op_type == "Concat":
            inputs = _signals_alone(inputs, changing)
        if node.op_type == "Pad":  # with zeros, whatever else stands there
            inputs = [None if index == 2 else array for index, array in enumerate(inputs)]
        if node.op_type in ("Resize", "Upsample"):
            return [_resized(node, inputs)]
        return self._session(node, changing).run(inputs)

    def _session(self, node: ir.Node, changing: Sequence[bool]) -> _Single:
        if node not in self._sessions:
            self._sessions[node] = _Single(node, changing)
        return self._sessions[node]

    def _probe(self, values: Sequence[ir.Value]) -> None:
        """Numbers of values in a run of one sample and one step."""
        if values:
            feed = {**zeros(self.model, {**self.sample_shapes, N_STEPS: ()}), N_STEPS: np.asarray(1)}
            arrays = Probe(self.model, values, spiking=True, libraries=self.libraries).run(feed)
            self._known |= {value: arrays[str(value.name)] for value in values}


def _is_neuron(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and emits_spikes(node) and value is node.outputs[0]


def _leaves_time(node: ir.Node) -> bool:
    return node.domain == DOMAIN and OPERATORS[node.op_type].time in (Time.LAST, Time.AT_ONCE)


def _signals_alone(inputs: Sequence[np.ndarray | None], changing: Sequence[bool]) -> list[np.ndarray]:
    """The inputs, where a constant is none that spikes: zeros."""
    pairs = zip(inputs, changing, strict=True)
    return [array if signal else np.zeros(array.shape) for array, signal in pairs if array is not None]


class _Single:
    """A node as a model of its own, on numbers of spikes instead of numbers."""

    def __init__(self, node: ir.Node, changing: Sequence[bool]) -> None:
        graph = node.graph
        assert graph is not None
        proto = ir.serde.serialize_node(node)
        proto.op_type = _WINDOWS.get(node.op_type, node.op_type)
        kept = [attribute for attribute in proto.attribute if attribute.name != "count_include_pad"]
        del proto.attribute[:]
        proto.attribute.extend(kept)
        if proto.op_type.endswith("LpPool"):
            proto.attribute.append(onnx.helper.make_attribute("p", 1))
        self._counts = [signal or node.op_type == "Concat" for signal in changing]
        self._proto, self._opset = proto, graph.opset_imports[""]
        self._run: Callable[[None, Feed], list[np.ndarray]] | None = None

    def run(self, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        """The outputs."""
        feed, names = {}, []
        for index, (array, counts) in enumerate(zip(inputs, self._counts, strict=True)):
            names.append(f"in{index}" if array is not None else "")
            if array is not None:
                feed[names[-1]] = array.astype(np.float32) if counts else array
        if self._run is None:
            self._run = start_quietly(self._model(names, feed)).run
        return [output.astype(float) for output in self._run(None, feed)]

    def _model(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> onnx.ModelProto:
        node = onnx.NodeProto()
        node.CopyFrom(self._proto)
        del node.input[:]
        node.input.extend(names)
        infos = [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feed.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "node", infos, outputs)
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", self._opset)], ir_version=9)


def _resized(node: ir.Node, inputs: Sequence[np.ndarray | None]) -> np.ndarray:
    """A spike arrives at every result that it is part of; which these are, each axis says for itself."""
    counts = inputs[0]
    assert counts is not None
    single = _Single(node, [index == 0 for index in range(len(inputs))])
    before, (after,) = counts.shape, (output.shape for output in single.run(inputs))
    for axis in (axis for axis, (length, result) in enumerate(zip(before, after, strict=True)) if length != result):
        rows = []
        for element in range(before[axis]):
            alone = np.zeros(before)
            alone[(slice(None),) * axis + (element,)] = 1
            (reached,) = single.run([alone, *inputs[1:]])
            rows.append((reached != 0).any(axis=tuple(other for other in range(reached.ndim) if other != axis)))
        counts = np.moveaxis(np.tensordot(counts, np.stack(rows).astype(float), axes=(axis, 0)), -1, axis)
    return counts
