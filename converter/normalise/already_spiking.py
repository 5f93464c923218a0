"""Tells a network that spikes already, in standard operators, as frameworks for training such networks export it.

A neuron of such a network, of whatever framework, is told by four things together:

1. a value, the membrane potential, is compared with a threshold (Greater, Less, ...);
2. what the comparison gives becomes a number, and such numbers alone, moved, pooled or summed, enter a layer with weights or
   leave the graph: spikes;
3. the potential follows, number by number, from one of an earlier step: from another potential like it (steps that were
   unrolled), or from an input to an output (the body of a Scan or a Loop, or a network that is given its states);
4. a comparison of the earlier potential has part in it: the reset.

Activations that were written with comparisons (``x * (x > 0)``), binary networks, masks and padding lack 2, 3 or both.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.build import captured, name_of
from converter.graph.op_facts import Linear, facts
from converter.graph.passes import PassReport

_COMPARES = frozenset(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"))
_SHIFTS = frozenset(("Add", "Sub", "Identity", "Cast"))
"""Of a potential, before it is compared: by the threshold."""
_SHAPES = frozenset(("Reshape", "Squeeze", "Unsqueeze"))
_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def check_not_spiking(model: ir.Model) -> PassReport:
    """Whether the model has neurons that spike. It changes nothing.

    Args:
        model: without functions; bodies of Scan and Loop are looked at, too.

    Raises:
        RefusedError: it has.
    """
    if any(node.op_type in _COMPARES for node in model.graph.all_nodes()):
        bodies = [(model.graph, False)]
        for node in model.graph.all_nodes():
            if node.op_type in ("Scan", "Loop") and not node.domain:
                bodies += [(a.as_graph(), True) for a in node.attributes.values() if a.type == ir.AttributeType.GRAPH]
        for graph, is_body in bodies:
            neuron = _View(graph, is_body=is_body).neuron()
            if neuron is not None:
                raise RefusedError(
                    f"{neuron.op_type} compares a potential with its threshold, and spikes reset that for the next step: this "
                    "is a spiking network already. Run it as it is, in any ONNX Runtime; to get one of ours, convert the "
                    "network with ordinary activations, such as Relu, that it came from or that is trained in its place",
                    node=name_of(neuron),
                )
    return PassReport("check not spiking")


class _View:
    """A graph, and what of it may be a neuron.

    Args:
        graph: the main graph, or a body that is run once for each step.
        is_body: which of them.
    """

    def __init__(self, graph: ir.Graph, *, is_body: bool) -> None:
        self._graph, self._is_body = graph, is_body
        self._inputs = {value for value in graph.inputs if not value.is_initializer()}
        self._signals = set(self._inputs)
        for node in graph:
            outside = [v for v in node.inputs if v is not None and v.graph is not graph and v.const_value is None]
            if any(v in self._signals for v in (*node.inputs, *captured(node))) or (is_body and outside):
                self._signals.update(node.outputs)
        self._compared = {node: roots for node in graph if (roots := self._roots(node))}
        self._emitting = self._find_emitting()

    def neuron(self) -> ir.Node | None:
        """A comparison that is a neuron's; None: there is none."""
        for node, roots in self._compared.items():
            if any(root in self._emitting and (self._follows(root) or self._is_carried(root)) for root in roots):
                return node
        return None

    def _roots(self, node: ir.Node) -> set[ir.Value]:
        """What a comparison compares, without constants that are added to it."""
        if node.domain or node.op_type not in _COMPARES:
            return set()
        roots = set()
        for value in node.inputs:
            while value is not None and value in self._signals:
                made = value.producer()
                given = [v for v in made.inputs if v in self._signals] if made is not None else []
                if made is None or made.op_type not in _SHIFTS or len(given) != 1:
                    roots.add(value)
                    break
                value = given[0]
        return roots

    def _numbers(self, node: ir.Node) -> Iterator[ir.Value]:
        """What a comparison gives as a number."""
        for user, index in node.outputs[0].uses():
            is_choice = user.op_type == "Where" and index == 0 and self._signals.isdisjoint(user.inputs[1:])
            if is_choice or (user.op_type == "Cast" and user.attributes["to"].as_int() in _FLOATS):
                yield user.outputs[0]

    def _find_emitting(self) -> set[ir.Value]:
        """Potentials whose spikes enter a layer with weights, or leave the graph."""
        spikes: dict[ir.Value, set[ir.Value]] = {}
        for node, roots in self._compared.items():
            for number in self._numbers(node):
                spikes.setdefault(number, set()).update(roots)
        emitting: set[ir.Value] = set()
        for node in self._graph:
            row, signals = facts(node), [v for v in node.inputs if v is not None and v in self._signals]
            from_spikes = [spikes[value] for value in signals if value in spikes]
            if row.weighted or row.recurrent:
                emitting.update(*from_spikes)
            sums = (
                row.moves
                or row.pools
                or row.reduces
                or row.joins
                or (row.elementwise and isinstance(row.linear, Linear))
            )
            if sums and from_spikes and len(from_spikes) == len(signals):
                for value in node.outputs:
                    spikes.setdefault(value, set()).update(*from_spikes)
        for value in self._graph.outputs:
            emitting |= spikes.get(value, set())
        return emitting

    def _before(self, value: ir.Value, *, through_comparisons: bool) -> set[ir.Value]:
        """What a value follows from, number by number, itself among it."""
        found, left = {value}, [value]
        while left:
            made = left.pop().producer()
            if (
                made is None
                or made.graph is not self._graph
                or not (facts(made).elementwise or made.op_type in _SHAPES)
            ):
                continue
            if made.op_type in _COMPARES and not through_comparisons:
                continue
            new = {v for v in made.inputs if v is not None and v in self._signals} - found
            found |= new
            left.extend(new)
        return found

    def _resets(self, value: ir.Value, potentials: set[ir.Value]) -> bool:
        """Whether a comparison of one of these has part in the value."""
        before = self._before(value, through_comparisons=True)
        return any(node.outputs[0] in before and roots & potentials for node, roots in self._compared.items())

    def _follows(self, potential: ir.Value) -> bool:
        """Whether it follows from the potential of an earlier step that was unrolled."""
        earlier = (self._before(potential, through_comparisons=False) & self._emitting) - {potential}
        return bool(earlier) and self._resets(potential, earlier)

    def _is_carried(self, potential: ir.Value) -> bool:
        """Whether it follows from an input, and becomes an output with the reset in either way."""
        before = self._before(potential, through_comparisons=False)
        states = before & self._inputs
        has_layer = any((made := value.producer()) is not None and facts(made).weighted for value in before)
        if not states or not (self._is_body or has_layer):
            return False
        after = [v for v in self._graph.outputs if potential in self._before(v, through_comparisons=False)]
        return bool(after) and (self._resets(potential, states) or any(self._resets(v, {potential}) for v in after))
