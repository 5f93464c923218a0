"""Where the time of a spiking model goes, by layer and by kind, and what it would take at least."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from converter.bench.events import Call, NodeEvent, calls_of, profiled
from converter.bench.rates import Rates
from converter.bench.runs import SPIKING, Feed, Place, run_of
from converter.bench.timing import turn_of, warm_up
from converter.graph.op_facts import OPS, facts
from converter.measure.cost import multiply_adds_of
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS, Time

WEIGHTS, NEURONS, TIME, POOLING = "weights", "neurons", "time operators", "pooling"
COPIES, REST = "reorders and copies", "the rest"
KINDS = (WEIGHTS, NEURONS, TIME, POOLING, COPIES, REST)

_SECONDS, _MOST_RUNS, _LEAST_RUNS = 1.0, 100, 5
_COPIES_OF_ORT = ("ReorderInput", "ReorderOutput", "MemcpyFromHost", "MemcpyToHost")
"""What ONNX Runtime puts between nodes: the layout of its convolutions, another device."""
_SAME_BYTES = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""What gives the bytes that it took, so that there may be nothing to do."""
_OF_A_BODY = re.compile(rf"{DOMAIN}\.(\d+)\.\d+")
"""A node of a function's body, as `_with_names` calls it, in the name that ONNX Runtime gives it."""


@dataclass(frozen=True)
class LayerTime:
    """A node of the file, or what ONNX Runtime put between nodes: means of a call.

    Attributes:
        name: of the node.
        op_type: of the node in the file; of one that is not there, as ONNX Runtime calls it.
        kind: one of `KINDS`.
        seconds: of a call.
        nodes: how many nodes ONNX Runtime ran for it in a call.
        multiply_adds: of a call.
        bytes_moved: read and written in a call, weights included.
        floor: seconds of a call at the rates of the machine; 0 where nothing is known of what it has to do.
        denormal_weights: so many of its weights are numbers with which processors take much longer.
    """

    name: str
    op_type: str
    kind: str
    seconds: float
    nodes: int = 0
    multiply_adds: int = 0
    bytes_moved: int = 0
    floor: float = 0.0
    denormal_weights: int = 0


@dataclass(frozen=True)
class Profile:
    """A call of a spiking model: the times of the layers add up to `seconds`.

    Attributes:
        n_steps, batch, threads: of the call.
        runs: how many calls the times are means of: the faster half, which nothing else on the machine held up.
        seconds: of a call as its caller sees it, with the profiler on.
        in_runtime: those of them in ONNX Runtime, by its own clock.
        layers: in the order in which they run.
        rates: that the floors follow from.
    """

    n_steps: int
    batch: int
    threads: int | None
    runs: int
    seconds: float
    in_runtime: float
    layers: tuple[LayerTime, ...]
    rates: Rates

    @property
    def floor(self) -> float:
        """Of all layers."""
        return sum(layer.floor for layer in self.layers)

    def kinds(self) -> list[LayerTime]:
        """The same by kind; those that the model has."""
        of_kind = {kind: [layer for layer in self.layers if layer.kind == kind] for kind in KINDS}
        return [
            LayerTime(
                kind,
                "",
                kind,
                sum(layer.seconds for layer in layers),
                sum(layer.nodes for layer in layers),
                sum(layer.multiply_adds for layer in layers),
                sum(layer.bytes_moved for layer in layers),
                sum(layer.floor for layer in layers),
            )
            for kind, layers in of_kind.items()
            if layers
        ]

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        kinds = [{k: v for k, v in asdict(kind).items() if k not in ("name", "op_type")} for kind in self.kinds()]
        return {**asdict(self), "floor": self.floor, "kinds": kinds}


def profile(model: onnx.ModelProto, feed: Feed, place: Place, n_steps: int, rates: Rates) -> Profile:
    """Profiles calls of a spiking model that is warm.

    Args:
        model: the spiking model.
        feed: the batch.
        place: where it runs, on a CPU.
        n_steps: T.
        rates: of the machine with these threads.
    """
    with profiled(_with_names(model) if place.backend == "functions" else model, place) as session:
        run = run_of(session, SPIKING, n_steps)
        count = 0

        def call() -> None:
            nonlocal count
            run(feed)
            count += 1

        turn = turn_of(call)
        warm_up(turn)
        cold = count
        walls: list[float] = []
        while len(walls) < _LEAST_RUNS or (sum(walls) < _SECONDS and len(walls) < _MOST_RUNS):
            start = time.perf_counter()
            call()
            walls.append(time.perf_counter() - start)
        calls = calls_of(session, count)[cold:]
    chosen = _faster_half(walls[: len(calls)])
    wall = float(np.mean([walls[index] for index in chosen]))
    fast = [calls[index] for index in chosen]
    in_runtime = float(np.mean([call.seconds for call in fast]))
    layers = layer_times(model, fast, rates)
    between = in_runtime - sum(layer.seconds for layer in layers)
    layers += [
        LayerTime("between the nodes", "ONNX Runtime", REST, between),
        LayerTime("before and after", "snn_ops", REST, wall - in_runtime),
    ]
    batch = len(next(iter(feed.values())))
    return Profile(n_steps, batch, place.threads, len(fast), wall, in_runtime, tuple(layers), rates)


def _faster_half(times: Sequence[float]) -> list[int]:
    """Their indices."""
    order = np.argsort(times, kind="stable").tolist()
    return sorted(order[: (len(order) + 1) // 2])


def _with_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a function of its own for each node of ours, whose nodes are called by that node's index.

    ONNX Runtime puts the nodes of the bodies into the graph and tells them apart by their numbers only.
    """
    named = onnx.ModelProto()
    named.CopyFrom(model)
    functions = {function.name: function for function in model.functions if function.domain == DOMAIN}
    for index, node in enumerate(named.graph.node):
        if node.domain == DOMAIN:
            function = named.functions.add()
            function.CopyFrom(functions[node.op_type])
            function.name = node.op_type = f"{node.op_type}_of_{index}"
            for number, inner in enumerate(function.node):
                inner.name = f"{DOMAIN}.{index}.{number}"
    return named


class Origins:
    """Which node of a file a node of ONNX Runtime comes from."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._nodes = list(ir.from_proto(model).graph)
        self._by_name = {str(value.name): node for node in self._nodes for value in node.outputs if value.name}
        self._by_name |= {str(node.name): node for node in self._nodes if node.name}
        self._longest = sorted(self._by_name, key=len, reverse=True)

    def of(self, event: NodeEvent) -> ir.Node | None:
        """None: ONNX Runtime made it.

        A node that it changed is called by the name of the node that it was, or of what that gave, with an addition:
        conv1_nchwc, fused conv1.
        """
        inner = _OF_A_BODY.search(event.name)
        if inner:
            return self._nodes[int(inner[1])]
        if event.name in self._by_name:
            return _layer_in(self._by_name[event.name], event.op_type)
        name = event.name.removeprefix("fused ")
        for known in self._longest:
            if name == known or (name.startswith(known) and not name[len(known)].isalnum()):
                return _layer_in(self._by_name[known], event.op_type)
        return None


def _layer_in(node: ir.Node, op_type: str) -> ir.Node:
    """The layer with weights that ran as one with what follows it, an addition or an activation, and has the name of that."""
    waiting = [node]
    if not (op_type in OPS and OPS[op_type].weighted):
        return node
    while waiting:
        found = waiting.pop(0)
        if found.op_type == op_type:
            return found
        if found.domain != DOMAIN and not facts(found).weighted:
            waiting += [before for value in found.inputs if value is not None and (before := value.producer())]
    return node


def layer_times(model: onnx.ModelProto, calls: Sequence[Call], rates: Rates) -> list[LayerTime]:
    """Means of the calls, by layer.

    Args:
        model: the spiking model.
        calls: of it, one at least.
        rates: of the machine.
    """
    origins = Origins(model)
    layers: dict[tuple[str, str], LayerTime] = {}
    for call in calls:
        before = "the input"
        for event in call.nodes:
            origin = origins.of(event)
            made = origin is None or event.op_type in _COPIES_OF_ORT
            name = f"{event.op_type} after {before}" if origin is None or made else str(origin.name or event.name)
            op_type = event.op_type if origin is None or made else origin.op_type
            before = before if made else name
            old = layers.get((name, op_type)) or LayerTime(
                name,
                op_type,
                _kind(event, origin),
                0.0,
                denormal_weights=0 if origin is None or made else _denormals(origin),
            )
            products = 0 if origin is None or made else _multiply_adds(event, origin)
            moved = _bytes_moved(event, origin if products else None)
            layers[name, op_type] = replace(
                old,
                seconds=old.seconds + event.seconds,
                nodes=old.nodes + 1,
                multiply_adds=old.multiply_adds + products,
                bytes_moved=old.bytes_moved + moved,
                floor=old.floor + rates.floor(products, moved),
            )
    count = len(calls)
    return [
        replace(
            layer,
            seconds=layer.seconds / count,
            nodes=round(layer.nodes / count),
            multiply_adds=round(layer.multiply_adds / count),
            bytes_moved=round(layer.bytes_moved / count),
            floor=layer.floor / count,
        )
        for layer in layers.values()
    ]


def _kind(event: NodeEvent, origin: ir.Node | None) -> str:
    if origin is not None and origin.domain == DOMAIN:
        operator = OPERATORS[origin.op_type]
        return TIME if operator.height is None and operator.time is not Time.NONE else NEURONS
    known = OPS.get(event.op_type)
    if event.op_type in _COPIES_OF_ORT or (known is not None and known.moves):
        return COPIES
    if known is not None and known.pools:
        return POOLING
    if (origin is not None and facts(origin).weighted) or (known is not None and known.weighted):
        return WEIGHTS
    return REST


def _multiply_adds(event: NodeEvent, node: ir.Node) -> int:
    """Of a layer with weights, from the shapes that it ran with."""
    if not facts(node).weighted or not event.output_shapes:
        return 0
    given = list(event.input_shapes)
    shapes: dict[str, tuple[int, ...]] = {}
    for value in node.inputs:
        if value is None:
            continue
        weights = _constant_shape(value)
        if given and (weights is None or given[0] == weights):
            shapes[str(value.name)] = given.pop(0)
        elif weights is not None:  # packed before, or for another layout
            shapes[str(value.name)] = weights
    output = event.output_shapes[0]
    if node.op_type == "Conv":  # in ONNX Runtime's own layout there may be more channels, which nobody needs
        kernels = shapes.get(str(node.inputs[1].name)) if node.inputs[1] is not None else None
        output = (output[0], kernels[0], *output[2:]) if kernels else output
    return multiply_adds_of(node, shapes | {str(node.outputs[0].name): output})


def _bytes_moved(event: NodeEvent, layer: ir.Node | None) -> int:
    """Read and written.

    Args:
        event: of the node.
        layer: it, if it is one with weights; they are read whole, also those that were packed before.
    """
    if event.op_type in _SAME_BYTES:
        return 0
    if layer is None:
        return event.bytes_moved + event.parameter_bytes
    return event.bytes_moved + sum(array.nbytes for array in _constants(layer))


def _constants(node: ir.Node) -> list[np.ndarray]:
    constants = [value.const_value for value in node.inputs if value is not None]
    return [constant.numpy() for constant in constants if constant is not None]


def _denormals(node: ir.Node) -> int:
    """Weights of float32 that are not 0, but closer to it than a normal number can be."""
    if not facts(node).weighted:
        return 0
    size = [np.abs(array) for array in _constants(node) if array.dtype == np.float32]
    return sum(int(np.count_nonzero((array > 0) & (array < np.finfo(np.float32).tiny))) for array in size)


def _constant_shape(value: ir.Value) -> tuple[int, ...] | None:
    constant = value.const_value
    return None if constant is None else tuple(int(length) for length in constant.shape.numpy())
