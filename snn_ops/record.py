"""A model that also gives what its layers send: made of the one in the file when somebody asks to record.

1. Each layer that is asked for becomes a graph output. Beside a neuron that gives a mean or a sum of its spikes stands one that
   sends them.
2. The states of a model that keeps them inside become inputs and outputs, so that a long run goes in chunks of time.

The file stays as it is. Functions come along, so the model runs wherever the file does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.shape_inference
from onnx import helper, numpy_helper

from snn_ops.explicit_inputs import with_defaults
from snn_ops.feed import Model
from snn_ops.format import DOMAIN, OPSET_VERSION, STEP, Metadata
from snn_ops.ops import OPERATORS, Attributes, Height, Operator, Time, Unit, decimal, multi_threshold, time_axis
from snn_ops.python_ops import loaded
from snn_ops.recording import RecordingError, SpikeTrack, StateTrack, SumTrack, Track

_MOST_NAMES = 40
"""Of layers, in a message."""


@dataclass(frozen=True)
class RecordingModel:
    """A model with outputs to record.

    Attributes:
        model: the model.
        tracks: how to read the outputs.
        states: pairs of inputs and outputs, as in `Metadata.states`; empty: it runs all steps at once.
    """

    model: onnx.ModelProto
    tracks: list[Track]
    states: list[Mapping[str, str]]


def recording_model(model: Model, names: Sequence[str]) -> RecordingModel:
    """The model with outputs for some layers.

    Args:
        model: the spiking model.
        names: of layers, as ``onnx-snn inspect`` shows them, of other nodes that run at every step, or ``LAYER.STATE``.

    Raises:
        RecordingError: there is no such layer or state, or nothing that it does at a step.
    """
    copy = with_defaults(loaded(model))
    graph = _Graph(copy)
    tracks = [graph.track(name) for name in dict.fromkeys(names)]
    graph.finish()
    return RecordingModel(copy, tracks, graph.states)


class _Graph:
    """The graph of a model that is being changed."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model, self._graph = model, model.graph
        imports = {entry.domain: entry.version for entry in model.opset_import}
        self._version, self._onnx_version = imports.get(DOMAIN, OPSET_VERSION), imports.get("", 1)
        self._neurons = layers_of(model)
        self._constants = {tensor.name: tensor for tensor in self._graph.initializer}
        given = {entry.key: entry.value for entry in model.metadata_props}
        self.states = list(Metadata.read(given).states)
        if not self.states:
            self._expose_states()

    def track(self, name: str) -> Track:
        """What to record under this name; the graph has the outputs then.

        Raises:
            RecordingError: there is no such layer or state, or nothing that it does at a step.
        """
        neuron = self._neuron(name)
        if neuron is not None:
            return self._spikes(name, neuron)
        layer, _, state = name.rpartition(".")
        neuron = self._neuron(layer)
        if neuron is not None:
            return self._state(name, neuron, state)
        node = next((node for node in self._graph.node if node.name and node.name == name), None)
        if node is None:
            raise RecordingError(f"there is no layer {name!r} to record; the model has {_listed(list(self._neurons))}")
        if node not in self._temporal():
            raise RecordingError(f"{name!r} gives the same at every step: no spike has reached it, or all have")
        return Track(name, self._give(node.output[0]))

    def _neuron(self, name: str) -> onnx.NodeProto | None:
        """By the layer's name, or else the node's."""
        return self._neurons.get(name) or next((node for node in self._neurons.values() if node.name == name), None)

    def finish(self) -> None:
        """The functions of the operators that joined, unless they are there."""
        have = {function.name for function in self._model.functions if function.domain == DOMAIN}
        for op_type in sorted({node.op_type for node in self._graph.node if node.domain == DOMAIN} - have):
            self._model.functions.append(OPERATORS[op_type].at(self._version).function(self._onnx_version))

    def _spikes(self, name: str, node: onnx.NodeProto) -> Track:
        operator = self._operator(node)
        if operator.time is Time.AT_ONCE:
            node = self._train(name, node, operator)
            operator = self._operator(node)
        height, value = operator.height, self._give(node.output[0])
        assert height is not None
        inputs = dict(zip((tensor.name for tensor in operator.inputs), node.input, strict=True))
        constants = {p.name: self._constant(inputs[p.name]) for p in operator.parameters}
        if any(constant is None for constant in constants.values()):
            return Track(name, value)
        numbers = {name: constant for name, constant in constants.items() if constant is not None}
        if height.unit is not Unit.DIFFERENTIAL:
            return SpikeTrack(name, value, _height(height, numbers, _attributes(node)), height.unit is Unit.BINARY)
        finest = multi_threshold.bounded(numbers["finest_exponent"]) + _attributes(node)["refinements"]
        finest = np.minimum(finest, multi_threshold.MOST_EXPONENT).astype(int)
        at_rest = self._constant(inputs["sent"])
        if at_rest is None:
            return Track(name, value)
        return SumTrack(name, value, inputs["sent"], at_rest, numbers["threshold"], numbers["resting_value"], finest)

    def _train(self, name: str, node: onnx.NodeProto, operator: Operator) -> onnx.NodeProto:
        """The neuron that sends what this one gives the mean or the sum of, spike by spike.

        Raises:
            RecordingError: nobody can tell one spike from another.
        """
        assert operator.height is not None
        inputs = dict(zip((tensor.name for tensor in operator.inputs), node.input, strict=True))
        if operator.height.unit is Unit.DIFFERENTIAL:
            train, source = multi_threshold.OPERATOR.at(self._version), inputs[operator.input.name]
        elif operator.train:
            train, source = OPERATORS[operator.train].at(self._version), node.output[0]
        else:
            raise RecordingError(
                f"layer {name!r} cannot be recorded: a {node.op_type} neuron gives the mean of its spikes, which have no order "
                "in time; its mean is the node's output"
            )
        parameter = self._constant(inputs[train.parameters[0].name])
        element = parameter.dtype if parameter is not None else np.float32
        joined = self._unused(f"{node.name}_train")
        given = [source]
        for tensor in train.inputs[1:]:
            if tensor.name in inputs:
                given.append(inputs[tensor.name])
            else:
                zero = np.zeros((), tensor.kind.dtype(element))
                given.append(self._add_constant(f"{joined}_{tensor.name}", zero))
        new = helper.make_node(
            train.name,
            given,
            [joined, *[""] * (len(train.outputs) - 1)],
            name=joined,
            domain=DOMAIN,
            **{**train.defaults, "constant_current": 1},  # type: ignore[arg-type]
        )
        self._graph.node.insert(list(self._graph.node).index(node) + 1, new)
        return new

    def _state(self, name: str, node: onnx.NodeProto, state: str) -> Track:
        operator, attributes = self._operator(node), _attributes(node)
        carried = {pair["output"] for pair in self.states}
        output_of = {kept: node.output[self._index(operator, output)] for output, kept in operator.carried.items()}
        there = {s.name: s for s in operator.states if s.matters(attributes) and output_of[s.name] in carried}
        if state not in there:
            what = f"it keeps {', '.join(there)}" if there else "it keeps none from step to step"
            raise RecordingError(f"layer {name.rpartition('.')[0]!r} has no state {state!r} to record; {what}")
        base = [output_of[there[state].base.name]] if there[state].has_base else []
        return StateTrack(name, "", (output_of[state], *base))

    def _expose_states(self) -> None:
        """Makes the states inputs and outputs, unless an operator needs all steps at once, gets a state from elsewhere, or has
        neurons of unknown rank."""
        nodes = [node for node in self._graph.node if node.domain == DOMAIN]
        if any(_needs_all_steps(self._operator(node)) for node in nodes):
            return
        places = [(node, *place) for node in nodes for place in self._carried(node)]
        ranks = self._ranks()
        if any(node.input[index] not in self._constants or node.input[0] not in ranks for node, index, _ in places):
            return
        for node, index, output in places:
            state = self._operator(node).inputs[index].name
            rest = numpy_helper.to_array(self._constants[node.input[index]])
            rank = 0 if state == STEP else ranks[node.input[0]]
            rest = rest.reshape((1,) * (rank - rest.ndim) + rest.shape)
            name = self._add_constant(self._unused(f"{node.name}.{state}"), rest)
            lengths = [length if length > 1 else f"{name}_{axis}" for axis, length in enumerate(rest.shape)]
            kind = helper.np_dtype_to_tensor_dtype(rest.dtype)
            self._graph.input.append(helper.make_tensor_value_info(name, kind, lengths))
            node.input[index] = name
            node.output.extend([""] * (output + 1 - len(node.output)))
            node.output[output] = node.output[output] or self._unused(f"{name}_out")
            free = [f"{name}_out_{axis}" for axis in range(rank)]
            self._graph.output.append(helper.make_tensor_value_info(node.output[output], kind, free))
            self.states.append({"input": name, "output": node.output[output]})

    def _carried(self, node: onnx.NodeProto) -> Iterator[tuple[int, int]]:
        """Which of the node's inputs are states that matter, and which of its outputs they become."""
        operator, attributes = self._operator(node), _attributes(node)
        inputs = [tensor.name for tensor in operator.inputs]
        values = {value.name: value for value in operator.values}
        for output, state in operator.carried.items():
            if state == STEP or values[state].matters(attributes):
                yield inputs.index(state), self._index(operator, output)

    def _ranks(self) -> dict[str, int]:
        """Of values whose rank the file says, or ONNX's shape inference."""
        known = _declared_ranks(self._model)
        if any(node.domain == DOMAIN and node.input[0] not in known for node in self._graph.node):
            with suppress(onnx.shape_inference.InferenceError, ValueError):  # or the model is larger than 2 GB
                known |= _declared_ranks(onnx.shape_inference.infer_shapes(self._model, data_prop=True))
        return known

    def _temporal(self) -> list[onnx.NodeProto]:
        """The nodes whose first output differs from step to step: it has a row for each."""
        values: set[str] = set()
        nodes = []
        for node in self._graph.node:
            if node.domain == DOMAIN:
                runs = OPERATORS[node.op_type].time in (Time.STEPS, Time.REPEAT)
                runs |= OPERATORS[node.op_type].time is Time.NONE and node.input[0] in values
            else:
                runs = node.op_type not in ("Shape", "Size") and not values.isdisjoint(node.input)
            if runs:
                values.update(filter(None, node.output[:1] if node.domain == DOMAIN else node.output))
                nodes.append(node)
        return nodes

    def _give(self, value: str) -> str:
        """Makes the value an output of the graph."""
        if value not in {output.name for output in self._graph.output}:
            self._graph.output.append(onnx.ValueInfoProto(name=value))
        return value

    def _operator(self, node: onnx.NodeProto) -> Operator:
        return OPERATORS[node.op_type].at(self._version)

    @staticmethod
    def _index(operator: Operator, output: str) -> int:
        return [tensor.name for tensor in operator.outputs].index(output)

    def _constant(self, name: str) -> np.ndarray | None:
        tensor = self._constants.get(name)
        return numpy_helper.to_array(tensor) if tensor is not None else None

    def _add_constant(self, name: str, array: np.ndarray) -> str:
        tensor = numpy_helper.from_array(np.asarray(array), name)
        self._graph.initializer.append(tensor)
        self._constants[name] = tensor
        return name

    def _unused(self, name: str) -> str:
        names = {value.name for value in (*self._graph.input, *self._graph.output)} | self._constants.keys()
        names.update(value for node in self._graph.node for value in (*node.input, *node.output))
        while name in names:
            name += "_"
        return name


def _needs_all_steps(operator: Operator) -> bool:
    """Whether a run of it cannot go in chunks of time."""
    is_binary = operator.height is not None and operator.height.unit is Unit.BINARY
    return operator.time is Time.AT_ONCE or is_binary


def _declared_ranks(model: onnx.ModelProto) -> dict[str, int]:
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    shaped = [value for value in values if value.type.tensor_type.HasField("shape")]
    return {value.name: len(value.type.tensor_type.shape.dim) for value in shaped}


def _spikes(node: onnx.NodeProto) -> bool:
    return node.domain == DOMAIN and OPERATORS[node.op_type].height is not None


def layer_name(node: str, op_type: str) -> str:
    """As reports have it: a neuron of the delta code stands beside the node whose value it sends.

    Args:
        node: the neurons' node, by name.
        op_type: their operator.
    """
    return node.removesuffix(f"_{op_type}") if OPERATORS[op_type].code == "delta" else node


def layers_of(model: Model) -> dict[str, onnx.NodeProto]:
    """The nodes of neurons in a model, by the names of their layers, in the order of the graph."""
    return {layer_name(node.name, node.op_type): node for node in loaded(model).graph.node if _spikes(node)}


def _attributes(node: onnx.NodeProto) -> Attributes:
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {**OPERATORS[node.op_type].defaults, **given}


def _height(height: Height, numbers: Mapping[str, np.ndarray], attributes: Attributes) -> np.ndarray:
    parameter = numbers[height.parameter]
    return time_axis.spike_height(parameter, decimal(attributes["dt"]), parameter.dtype) if height.per_dt else parameter


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more if names else "none that spikes"
