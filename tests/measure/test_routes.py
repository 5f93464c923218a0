"""Where spikes arrive, for the ways that `test_cost` does not walk."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from converter.graph.run import start_quietly
from converter.measure.routes import Routes
from tests.models import convert_model, text_model

WAYS = {
    "ReduceMean": "t = ReduceMean<keepdims = 1>(r, AXIS)",
    "Slice": "t = Slice(r, START, END, AXIS)",
    "Resize, nearest": 't = Resize<mode = "nearest">(r, , SCALES)',
    "Resize, linear": 't = Resize<mode = "linear">(r, , SCALES)',
    "DepthToSpace": "t = DepthToSpace<blocksize = 2>(r)",
    "Gather": "t = Gather<axis = 1>(r, PICKED)",
    "Split": "t, u = Split<axis = 1>(r, PARTS)",
}


def network(way: str) -> onnx.ModelProto:
    return text_model(
        f"""
        network (float[N,2,4,6] x) => (float[N,k,h,w] y)
        <float[4,2,1,1] W, int64[1] START, int64[1] END, int64[1] AXIS, float[4] SCALES, int64[3] PICKED, int64[2] PARTS> {{
          c = Conv(x, W)  r = Relu(c)  {way}  y = Identity(t) }}
        """,
        opset=18,
        START=np.asarray([1]),
        END=np.asarray([3]),
        AXIS=np.asarray([2]),
        SCALES=np.asarray([1, 1, 2, 1.5]),
        PICKED=np.asarray([3, 0, 3]),
        PARTS=np.asarray([1, 3]),
    )


@pytest.mark.parametrize("name", WAYS)
def test_a_spike_arrives_at_every_element_that_it_changes(name) -> None:
    """Against the operator itself, fed with one element after the other."""
    proto = network(WAYS[name])
    model = ir.from_proto(proto)
    routes = Routes(model, {"x": (1, 2, 4, 6)})
    relu = next(node for node in model.graph if node.op_type == "Relu")
    counts = np.random.default_rng(0).integers(0, 5, (1, 4, 4, 6)).astype(float)
    value = next(v for node in model.graph for v in node.outputs if v.name == "t")
    tail = onnx.ModelProto()
    tail.CopyFrom(proto)
    del tail.graph.node[:2]
    del tail.graph.input[:]
    tail.graph.input.append(onnx.helper.make_tensor_value_info("r", 1, (1, 4, 4, 6)))
    session = start_quietly(tail)
    expected = 0.0
    for index in np.ndindex(*counts.shape):
        alone = np.zeros(counts.shape, np.float32)
        alone[index] = 1
        expected = expected + counts[index] * (session.run(None, {"r": alone})[0] != 0)
    found = routes._spread(value, {relu.outputs[0]: counts})
    np.testing.assert_allclose(found, expected)


def test_spikes_and_numbers_side_by_side(tmp_path) -> None:
    """A concatenation of spikes and of a maximum: the one part causes additions, the other is multiplied in every step."""
    model = text_model(
        """
        network (float[N,8] x) => (float[N,2] y)
        <float[8,4] A, float[8,6] B, float[8,6] C, float[10,5] W, float[5,2] U> {
          a = MatMul(x, A)  r = Relu(a)  b = MatMul(x, B)  s = Tanh(b)  c = MatMul(x, C)  q = Sigmoid(c)
          m = Max(s, q)  t = Concat<axis = 1>(r, m)  w = MatMul(t, W)  d = Relu(w)  y = MatMul(d, U) }
        """
    )
    conversion, _ = convert_model(model, tmp_path, neuron="if", method="percentile", correction="none", n_steps=8)
    work = next(layer for layer in conversion.work.layers if layer.name == "w")
    assert work.multiply_adds == 10 * 5
    assert work.analog == 6 * 5
    assert work.executed == 8 * 6 * 5
    layer = next(layer for layer in conversion.layers if layer.name == "r")
    assert layer.synaptic_operations == pytest.approx(layer.spike_rate * 8 * 4 * 5)
