"""The network as a graph to look at."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from converter import convert
from converter.report.network import MOST_LANES, in_lanes, network_of
from tests.models import samples, save, text_model


def test_rows_are_layers_and_lines_their_connections(conversion) -> None:
    """x reaches two layers with weights, whose activations meet in Max, an island, before a third."""
    network = network_of(conversion)
    rows = {block.name: (index, block) for index, block in enumerate(network.blocks)}
    kinds = [block.kind for block in network.blocks]
    assert (kinds[0], kinds[-1]) == ("input", "output")
    assert kinds.count("neurons") == len(conversion.layers)
    for index, layer in enumerate(conversion.layers):
        assert rows[layer.name][1].layer == index
    (island,) = conversion.islands
    at = rows[island.nodes[0]][0]
    into = {edge.first for edge in network.edges if edge.last == at}
    assert into == {rows[layer.name][0] for layer in conversion.layers[:2]}
    assert all(edge.first < edge.last for edge in network.edges)


def test_a_skip_connection_has_a_lane(tmp_path) -> None:
    model = text_model(
        """m (float[N,8] x) => (float[N,4] y) <float[8,8] W, float[8,8] V, float[8,4] U> {
          h = MatMul(x, W)  [one] a = Relu(h)  g = MatMul(a, V)  [two] b = Relu(g)  s = Add(a, b)  y = MatMul(s, U) }"""
    )
    path = save(model, tmp_path / "m.onnx")
    conversion = convert(
        path, samples(model, 16), code="rate", n_steps=4, neuron="if", method="percentile", correction="none"
    )
    network = network_of(conversion)
    names = [block.name for block in network.blocks]
    lanes = {(names[edge.first], names[edge.last]): edge.lane for edge in network.edges}
    assert lanes["one", "two"] == 0
    assert lanes["one", names[-1]] == 1
    assert lanes["two", names[-1]] == 0


def test_lines_in_a_lane_do_not_meet() -> None:
    rng = np.random.default_rng(0)
    pairs = {tuple(sorted(pair)) for pair in rng.integers(0, 30, (20, 2)).tolist() if pair[0] != pair[1]}
    edges = in_lanes(pairs)
    assert {(edge.first, edge.last) for edge in edges} == pairs
    for one, other in combinations([edge for edge in edges if 0 < edge.lane < MOST_LANES], 2):
        if one.lane == other.lane:
            assert one.last <= other.first or other.last <= one.first
    assert all((edge.lane == 0) == (edge.last - edge.first == 1) for edge in edges)
