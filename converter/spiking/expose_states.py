"""Makes the state of a run an input and an output of the model, so that a caller can run it in chunks of time.

1. Each initial state (voltage, refractory_time, sum, ...) of each node of ONNX-SNN becomes the graph input ``NODE.STATE`` with
   a default, the state at rest: an initialiser of the same name, padded to the rank of the neurons, ``[1, ...]``.
2. The same state after the last step becomes the graph output ``NODE.STATE_out``, ``[B, ...]``, after the model's own.
3. The number of steps done, the same for all nodes, is one input ``step``, an int64 scalar with the default 0, and one
   output ``step_out``.
4. The number of samples done in earlier batches, for random neurons, is one input ``first_sample`` with the default 0. It is
   the caller's and has no output.
5. A state that decays becomes 0 below 1e-30, so that a stream at rest keeps its speed: the attribute ``smallest``. Not in a
   model of version 1 of the domain, whose reader may not know it.
6. A state that nothing depends on, such as the net count of an IF neuron that takes no spikes back, stays inside.

The file's metadata lists the pairs: ``onnx_snn.states`` is JSON, ``[{"input": "NODE.STATE", "output": "NODE.STATE_out"},
...]``. Running T steps at once, or k of them and then T - k with the outputs of the first run fed to the inputs of the
second, gives the same; without a feed, a run starts at rest. Axes of inputs and outputs have symbols of their own:
a state at rest is ``[1, ...]`` where a fed one is ``[B, ...]``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import free_name, operator_of
from converter.graph.passes import Lines, PassReport
from converter.graph.shapes import infer_symbolic
from snn_ops.format import DOMAIN, FIRST_SAMPLE, LOWEST_OPSET_VERSION, STEP, Metadata
from snn_ops.ops import SMALLEST, Operator

SMALLEST_STATE = 1e-30
"""Well above the denormal numbers of float32, far below anything that matters."""


def expose_states(model: ir.Model) -> PassReport:
    """Adds the inputs, the outputs and the metadata.

    Raises:
        RefusedError: the rank of a state is unknown, or a name is taken.
    """
    infer_symbolic(model)
    lines = Lines("expose states")
    graph = model.graph
    pairs: list[dict[str, str]] = []
    for node in [node for node in graph if node.domain == DOMAIN]:
        operator = operator_of(node)
        if SMALLEST.name in operator.defaults and graph.opset_imports[DOMAIN] > LOWEST_OPSET_VERSION:
            node.attributes[SMALLEST.name] = ir.AttrFloat32(SMALLEST.name, SMALLEST_STATE)
        for index, tensor in enumerate(operator.inputs):
            if tensor.name == FIRST_SAMPLE:
                _share_number(graph, node, index, FIRST_SAMPLE)
            elif tensor.name == STEP:
                if _share_number(graph, node, index, STEP):
                    pairs.append({"input": STEP, "output": _add_output(graph, node, STEP, STEP)})
            elif tensor.name in operator.carried.values():
                is_base = tensor.name in [base.name for base in operator.bases]
                if not _matters(node, operator, tensor.name):
                    if not is_base:
                        lines.declined(node, f"nothing depends on its {tensor.name}, which stays inside")
                    continue
                name = _add_state(graph, node, index, tensor.name)
                output = _add_output(graph, node, tensor.name, name)
                pairs.append({"input": name, "output": output})
                if not is_base:
                    lines.changed(node, f"its {tensor.name} is the input {name!r} and the output {output!r}")
    metadata = Metadata.read(model.metadata_props)
    (metadata | Metadata(states=[*metadata.states, *pairs])).write(model.metadata_props)
    return lines.report()


class StreamValues:
    """States of a stream that standard operators keep, declared before `expose_states`."""

    def __init__(self) -> None:
        self._pairs: list[dict[str, str]] = []

    def step(self, graph: ir.Graph) -> ir.Value:
        """The number of steps done."""
        existing = graph.initializers.get(STEP)
        return existing if existing is not None else _add_input(graph, STEP, np.zeros((), np.int64), [])

    def count(self, graph: ir.Graph, step: ir.Value, done: ir.Value) -> None:
        """What the number of steps is after this call, said once."""
        if all(pair["input"] != STEP for pair in self._pairs):
            done.name, done.type, done.shape = f"{STEP}_out", ir.TensorType(ir.DataType.INT64), ir.Shape([])
            graph.outputs.append(done)
            self._pairs.append({"input": str(step.name), "output": str(done.name)})

    def state(self, graph: ir.Graph, name: str, rest: np.ndarray) -> ir.Value:
        """The input for a state, with its value at rest as the default."""
        name = free_name(graph, name)
        dims = [length if length > 1 else f"{name}_{axis}" for axis, length in enumerate(rest.shape)]
        return _add_input(graph, name, rest, dims)

    def result(self, graph: ir.Graph, state: ir.Value, value: ir.Value, inner: Sequence[int | ir.SymbolicDim]) -> None:
        """What a state is after the last step."""
        dims = [d if isinstance(d, int) else f"{value.name}_{axis + 1}" for axis, d in enumerate(inner)]
        value.type, value.shape = state.type, ir.Shape([f"{value.name}_0", *dims])
        graph.outputs.append(value)
        self._pairs.append({"input": str(state.name), "output": str(value.name)})

    def write(self, model: ir.Model) -> None:
        """Lists them in the metadata."""
        metadata = Metadata.read(model.metadata_props)
        (metadata | Metadata(states=[*metadata.states, *self._pairs])).write(model.metadata_props)


def _matters(node: ir.Node, operator: Operator, name: str) -> bool:
    """Whether the next step depends on the state."""
    given = {name: attribute.value for name, attribute in node.attributes.items()}
    state = next(state for state in operator.values if state.name == name)
    return state.matters({**operator.defaults, **given})


def _add_state(graph: ir.Graph, node: ir.Node, index: int, state: str) -> str:
    """The graph input for a state; its default is the initialiser that the node has now."""
    name = free_name(graph, f"{node.name}.{state}")
    given, rank = node.inputs[index], _rank(node)
    assert given is not None and given.const_value is not None
    rest = given.const_value.numpy()
    rest = rest.reshape((1,) * (rank - rest.ndim) + rest.shape)
    dims = [length if length > 1 else f"{name}_{axis}" for axis, length in enumerate(rest.shape)]
    _feed(graph, node, index, _add_input(graph, name, rest, dims))
    return name


def _share_number(graph: ir.Graph, node: ir.Node, index: int, name: str) -> bool:
    """Feeds the node from the graph input `name`, which is made for the first node that needs it: then True."""
    existing = graph.initializers.get(name)
    is_first = existing is None or not existing.is_graph_input()
    if is_first:
        values = (*graph.inputs, *graph.initializers.values(), *(value for n in graph for value in n.outputs))
        if any(value.name == name for value in values):
            raise RefusedError(
                f"the model already has a value named {name!r}, an input of every such model; rename it", node=node.name
            )
        existing = _add_input(graph, name, np.zeros((), np.int64), [])
    assert existing is not None
    _feed(graph, node, index, existing)
    return is_first


def _feed(graph: ir.Graph, node: ir.Node, index: int, value: ir.Value) -> None:
    """Gives the node another input; the initialiser that it had goes if nobody else uses it."""
    old = node.inputs[index]
    node.replace_input_with(index, value)
    if old is not None and not old.uses() and not old.is_graph_output():
        graph.initializers.pop(str(old.name), None)


def _add_input(graph: ir.Graph, name: str, default: np.ndarray, dims: list[int | str]) -> ir.Value:
    tensor = ir.tensor(default, name=name)
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(dims), const_value=tensor)
    graph.inputs.append(value)
    graph.register_initializer(value)
    return value


def _add_output(graph: ir.Graph, node: ir.Node, state: str, name: str) -> str:
    """The graph output for a state after the last step."""
    operator = operator_of(node)
    output_of = {state: output for output, state in operator.carried.items()}
    index = [tensor.name for tensor in operator.outputs].index(output_of[state])
    value = node.outputs[index]
    value.name = free_name(graph, f"{name}_out")
    if state == STEP:
        value.type, value.shape = ir.TensorType(ir.DataType.INT64), ir.Shape([])
    else:
        given = next(v for v in node.inputs if v is not None and v.name == name)
        inner = [d if isinstance(d, int) else f"{value.name}_{axis + 1}" for axis, d in enumerate(_shape(node)[1:])]
        value.type, value.shape = given.type, ir.Shape([f"{value.name}_0", *inner])
    graph.outputs.append(value)
    return str(value.name)


def _shape(node: ir.Node) -> ir.Shape:
    """Of what runs through the node: [T*B, ...] or [B, ...]."""
    for value in (node.outputs[0], node.inputs[0]):
        if value is not None and value.shape is not None:
            return value.shape
    raise RefusedError("the rank of its state is unknown, so it cannot become an input of the model", node=node.name)


def _rank(node: ir.Node) -> int:
    return len(_shape(node))
