"""The spiking network as a graph to look at: layers of neurons, what stays analog, and what leads from one to the other.

Every block has a row, in the order of the graph. Connections to the next row are straight; longer ones have a lane of their own
beside the rows, the shorter the nearer, as in the history of a version control.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from converter.conversion.result import Conversion
from converter.measure.instruments import emits_spikes
from snn_ops.record import layer_name

MOST_LANES = 8
"""Longer connections share the last one."""


@dataclass(frozen=True)
class Block:
    """A row of the picture.

    Attributes:
        kind: "input", "neurons", "analog" or "output".
        name: of the layer, the node, the input or the output.
        what: its operators.
        layer: its number in `Conversion.layers`; None of others.
    """

    kind: str
    name: str
    what: str
    layer: int | None = None


@dataclass(frozen=True)
class Edge:
    """A connection between rows, `first` before `last`; lane 0 is straight."""

    first: int
    last: int
    lane: int = 0


@dataclass(frozen=True)
class Network:
    """The picture."""

    blocks: tuple[Block, ...]
    edges: tuple[Edge, ...]


def network_of(conversion: Conversion) -> Network:
    """The graph of a conversion, without the nodes that only pass values on."""
    graph = conversion.model.graph
    own = {spec.name for spec in conversion.ann.input_specs}
    blocks: list[Block] = []
    of_node = _blocks_of_nodes(conversion)
    places: dict[Block, int] = {}
    before: dict[ir.Value, frozenset[int]] = {}
    edges: set[tuple[int, int]] = set()

    def place(block: Block) -> int:
        if block not in places:
            places[block] = len(blocks)
            blocks.append(block)
        return places[block]

    for value in graph.inputs:
        if value.name in own:
            before[value] = frozenset([place(Block("input", str(value.name), "input"))])
    for node in graph:
        sources = _union(before.get(value) for value in node.inputs if value is not None)
        block = of_node.get(str(node.name))
        if block is not None:
            row = place(block)
            edges.update((source, row) for source in sources if source < row)
            sources = frozenset([row])
        before.update(dict.fromkeys(node.outputs, sources))
    states = {value.name for value in graph.outputs} - {value.name for value in conversion.ann.model.graph.outputs}
    for value in graph.outputs:
        if value.name not in states:
            row = place(Block("output", str(value.name), "output"))
            edges.update((source, row) for source in before.get(value, ()) if source < row)
    return Network(tuple(blocks), in_lanes(edges))


def in_lanes(pairs: Iterable[tuple[int, int]]) -> tuple[Edge, ...]:
    """Connections with lanes in which no two of them meet, as long as there are `MOST_LANES` at most."""
    edges = [Edge(first, last) for first, last in sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair))]
    taken: list[list[Edge]] = [[] for _ in range(MOST_LANES)]
    placed = []
    for edge in edges:
        if edge.last - edge.first > 1:
            free = (i for i, lane in enumerate(taken) if all(_apart(edge, other) for other in lane))
            lane = next(free, MOST_LANES - 1)
            edge = replace(edge, lane=lane + 1)
            taken[lane].append(edge)
        placed.append(edge)
    return tuple(placed)


def _apart(one: Edge, other: Edge) -> bool:
    return one.last <= other.first or other.last <= one.first


def _blocks_of_nodes(conversion: Conversion) -> Mapping[str, Block]:
    """By the name of a node, the block that it is part of."""
    numbers = {layer.name: index for index, layer in enumerate(conversion.layers)}
    found: dict[str, Block] = {}
    for node in conversion.model.graph:
        if emits_spikes(node):
            name = layer_name(str(node.name), node.op_type)
            found[str(node.name)] = Block("neurons", name, node.op_type, numbers.get(name))
    for work in conversion.work.layers:
        if work.analog:
            found[work.name] = Block("analog", work.name, "multiplies numbers")
    for island in conversion.islands:
        block = Block("analog", island.nodes[0], _listed(island.op_types))
        found.update(dict.fromkeys(island.nodes, block))
    return found


def _listed(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - 3} more" if len(different) > 3 else ""
    return ", ".join(different[:3]) + more


def _union(sets: Iterable[frozenset[int] | None]) -> frozenset[int]:
    return frozenset().union(*(each for each in sets if each))
