"""Small steps on graphs."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from converter.graph.build import (
    add_functions,
    add_n_steps,
    captured,
    constant,
    constant_of,
    depending_on_inputs,
    free_name,
    name_nodes,
    name_of,
    operand,
    operator_node,
    set_operand,
    to_front,
    to_proto,
    transposed,
)
from snn_ops.format import DOMAIN
from tests.models import text_model
from tests.passes import from_text, normal, outputs


def test_every_node_has_a_name_of_its_own() -> None:
    model = ir.from_proto(
        text_model("m (float[N,4] x) => (float[N,4] y) { [b] a = Relu(x)  b = Neg(a)  [b] c = Abs(b)  y = Relu(c) }")
    )
    assert [name_of(node) for node in model.graph] == ["b", "b", "b", "y"]
    name_nodes(model)
    assert [node.name for node in model.graph] == ["b", "b_", "b__", "y"]


def test_constants_get_a_name_that_is_free() -> None:
    model = from_text("m (float[N,4] x) => (float[N,4] y) <float[4] B> { y = Add(x, B) }")
    names = [constant(model.graph, "B", np.ones(count)).name for count in (1, 2)]
    assert names == ["B_2", "B_3"]
    np.testing.assert_array_equal(constant_of(model.graph.initializers["B_3"]), np.ones(2))
    assert constant_of(model.graph.inputs[0]) is constant_of(None) is None


@pytest.mark.parametrize(("axis", "rank"), [(0, 3), (1, 3), (2, 4)])
def test_an_axis_comes_to_the_front_and_goes_back(axis, rank) -> None:
    there, back = to_front(axis, rank)
    x = normal(*range(2, 2 + rank))
    assert x.transpose(there).shape[0] == x.shape[axis]
    np.testing.assert_array_equal(x.transpose(there).transpose(back), x)


def test_a_transpose_has_one_name() -> None:
    model = from_text("m (float[N,4] x) => (float[4,N] y) { y = Identity(x) }")
    node = transposed(model.graph, model.graph.inputs[0], [1, 0], "turned")
    assert (node.name, node.outputs[0].name) == ("turned", "turned")
    model.graph.insert_before(model.graph[0], node)
    model.graph[1].replace_input_with(0, node.outputs[0])
    x = normal(2, 4)
    np.testing.assert_array_equal(outputs(model, x=x)[0], x.T)


@pytest.mark.parametrize(("version", "states"), [(1, 2), (2, 5)])
def test_a_neuron_in_a_graph(version, states) -> None:
    """Every input passed, every attribute written, every output listed; it runs by its function."""
    model = from_text("m (float[N,4] x) => (float[N,4] y) { y = Identity(x) }")
    model.opset_imports[DOMAIN] = version
    n_steps = add_n_steps(model, 3)
    node = operator_node(
        model.graph, "IF", "first", model.graph.inputs[0], n_steps, {"threshold": 1.0}, {"max_spikes": 2}
    )
    set_operand(node, "voltage", np.asarray([0.5]))
    model.graph.insert_before(model.graph[0], node)
    model.graph[1].replace_input_with(0, node.outputs[0])
    add_functions(model)
    proto = to_proto(model)
    onnx.checker.check_model(proto)
    (written,) = (n for n in proto.graph.node if n.name == "first")
    assert list(written.output) == ["first_IF", *[""] * states]
    assert {a.name for a in written.attribute} >= {"max_spikes", "constant_current"}
    assert constant_of(operand(node, "threshold")) == 1.0
    assert constant_of(operand(node, "voltage")).tolist() == [0.5]
    x = np.full((3, 4), 0.4, np.float32)  # three steps of one sample
    (spikes,) = outputs(model, x=x)
    np.testing.assert_allclose(spikes.mean(axis=0), np.full(4, 1 / 3), rtol=1e-6)


def test_what_subgraphs_read_from_outside() -> None:
    model = from_text(
        """m (float[N,4] x, bool c) => (float[N,4] y) <float[4] B> {
          a = Relu(x)
          y = If (c) <then_branch = t () => (p) { q = Neg(a)  p = Add(q, B) }, else_branch = e () => (r) { r = Abs(x) }> }"""
    )
    assert {value.name for value in captured(model.graph[-1])} == {"a", "B", "x"}
    assert captured(model.graph[0]) == set()


def test_what_depends_on_the_inputs() -> None:
    """Not through a shape."""
    model = from_text(
        """m (float[N,4] x) => (float[N,4] y) <float[4] B> {
          s = Shape(x)  t = Expand(B, s)  u = Relu(t)  r = Relu(x)  y = Add(r, u) }"""
    )
    assert {value.name for value in depending_on_inputs(model.graph)} == {"x", "r", "y"}


def test_what_a_subgraph_reads_is_an_input_of_its_node() -> None:
    model = from_text(
        """m (float[N,4] x) => (float[N,4] y) <float[4] w> {
          a = Neg(x)  s = Shape(a)  n = ReduceMax<keepdims = 0>(s)  c = Cast<to = 9>(n)
          y = If(c) < then_branch = g1 () => (float[N,4] b) { b = Neg(a) },
                      else_branch = g2 () => (float[N,4] d) { d = Relu(a) } > }"""
    )
    assert {value.name for value in depending_on_inputs(model.graph)} == {"x", "a", "y"}


def test_a_new_name_is_nobodys() -> None:
    """Neither a value's, nor a node's, nor one inside a subgraph; a copy of the graph knows its own."""
    model = from_text(
        """m (float[N,4] x) => (float[N,4] y) <float[4] w> {
          [node] a = Add(x, w)  s = ReduceSum<keepdims = 0>(a)  c = Cast<to = 9>(s)
          y = If(c) < then_branch = g1 () => (float[N,4] b) { [inside] b = Neg(a) },
                      else_branch = g2 () => (float[N,4] d) { d = Relu(a) } > }"""
    )
    graph = model.graph
    for name in ("x", "w", "a", "node", "y", "b", "inside"):
        assert free_name(graph, name) == f"{name}_2"
    assert [free_name(graph, "new") for _ in range(3)] == ["new", "new_2", "new_3"]
    assert free_name(model.clone().graph, "new") == "new"
    assert constant(graph, "a", np.zeros(1)).name == "a_3"
