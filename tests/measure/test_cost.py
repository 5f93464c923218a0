"""Multiply-adds and synaptic operations, counted by hand, and by a walk of every spike to every weight that it meets."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import snn_ops
from converter.measure.cost import Work, multiply_adds
from snn_ops.ops import OPERATORS
from tests.measure.additions import Walker
from tests.models import convert_model, initializer, mlp, samples, text_model

HELD_OUT = 8
"""Of the 64 samples of `convert_model`."""


def test_work_is_counted(tmp_path) -> None:
    """Multiply-adds by hand; synaptic operations from the spikes themselves."""
    conversion, snn = convert_model(mlp(), tmp_path, neuron="if", method="percentile", correction="none", n_steps=16)
    assert conversion.work.multiply_adds == 8 * 16 + 16 * 12 + 12 * 4
    assert conversion.work.analog_multiply_adds == 8 * 16  # the first layer receives the samples themselves
    rates = {layer.name: layer.spike_rate for layer in conversion.layers}
    for node in [n for n in snn.graph.node if n.op_type == "IF"]:
        probe = onnx.ModelProto()
        probe.CopyFrom(snn)
        probe.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
        spikes = snn_ops.Session(probe, batch_size=32).run(samples(mlp())[-HELD_OUT:])[1]
        assert rates[node.name] == pytest.approx(float((spikes != 0).mean()), rel=1e-4)
    operations = 16 * (rates["first"] * 16 * 12 + rates["second"] * 12 * 4)
    assert conversion.work.synaptic_operations == pytest.approx(operations)
    assert sum(layer.synaptic_operations for layer in conversion.layers) == pytest.approx(operations)


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("bi,io->bo", [(7, 3), (3, 5)], 7 * 3 * 5),
        ("bhqd,bhkd->bhqk", [(2, 4, 6, 8), (2, 4, 9, 8)], 2 * 4 * 6 * 9 * 8),
        ("...i,io->...o", [(2, 6, 3), (3, 5)], 2 * 6 * 3 * 5),
        ("b i , i o -> b o", [(7, 3), (3, 5)], 7 * 3 * 5),
        ("bi->b", [(7, 3)], 0),
    ],
)
def test_an_einsum_costs_its_products(equation, shapes, expected) -> None:
    """The products of all letters' lengths; a sum of one operand multiplies nothing."""
    values = [ir.Value(name=f"x{k}") for k in range(len(shapes))]
    node = ir.node("Einsum", values, {"equation": equation}, name="layer")
    graph = ir.Graph(values, node.outputs, nodes=[node], opset_imports={"": 18})
    node.outputs[0].name = "y"
    lengths = {f"x{k}": shape for k, shape in enumerate(shapes)} | {"y": (1,)}
    assert multiply_adds(ir.Model(graph, ir_version=9), lengths, 1) == {"layer": expected}


def test_an_einsum_that_receives_spikes_causes_additions(tmp_path) -> None:
    """The same network with Einsum for its second product costs what it costs with Gemm."""
    model = text_model(
        """
        einsum (float[N,8] x) => (float[N,4] y)
        <float[8,16] W1, float[16,12] W2, float[12,4] W3>
        {
          h1 = MatMul(x, W1)
          [first] a1 = Relu(h1)
          h2 = Einsum<equation = "bi,io->bo">(a1, W2)
          [second] a2 = Relu(h2)
          y = MatMul(a2, W3)
        }
        """
    )
    conversion, _ = convert_model(model, tmp_path, neuron="if", method="percentile", correction="none", n_steps=16)
    assert conversion.work.multiply_adds == 8 * 16 + 16 * 12 + 12 * 4
    first = conversion.layers[0]
    assert first.synaptic_operations == pytest.approx(16 * first.spike_rate * 16 * 12)


def test_the_old_name_of_analog_multiply_adds() -> None:
    with pytest.warns(DeprecationWarning, match="analog_multiply_adds"):
        assert Work(10, 3, 0.0, {}).analog == 3


IMAGES = {
    "pads, strides and dilations": (
        "float[5,4,3,2] W",
        "d = Conv<pads = [1, 0, 2, 1], strides = [2, 1], dilations = [1, 2]>(r, W)",
    ),
    "groups": ("float[6,2,3,3] W", "d = Conv<group = 2, pads = [1, 1, 1, 1]>(r, W)"),
    "SAME_UPPER": ("float[3,4,3,3] W", 'd = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(r, W)'),
    "SAME_LOWER": ("float[3,4,2,2] W", 'd = Conv<auto_pad = "SAME_LOWER", strides = [2, 2]>(r, W)'),
    "ConvTranspose": (
        "float[4,3,3,2] W",
        "d = ConvTranspose<strides = [2, 2], pads = [1, 0, 1, 1], output_padding = [1, 0]>(r, W)",
    ),
    "AveragePool with a border": (
        "float[3,4,2,2] W",
        "p = AveragePool<kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 0, 1]>(r)  d = Conv(p, W)",
    ),
    "AveragePool with windows that overlap": (
        "float[3,4,3,3] W",
        """p = AveragePool<kernel_shape = [3, 3], strides = [1, 1], count_include_pad = 1, pads = [1, 1, 1, 1]>(r)
           d = Conv<strides = [2, 2]>(p, W)""",
    ),
    "GlobalAveragePool": ("float[7,4,1,1] W", "p = GlobalAveragePool(r)  d = Conv(p, W)"),
    "sum of two layers, of which one also goes on elsewhere": (
        "float[4,4,3,3] V, float[5,4,2,2] W",
        "e = Conv<pads = [1, 1, 1, 1]>(r, V)  [b] s = Relu(e)  t = Add(r, s)  d = Conv(t, W)",
    ),
    "concatenation": (
        "float[2,4,3,3] V, float[6,2,3,3] W",
        "e = Conv<pads = [1, 1, 1, 1]>(r, V)  [b] s = Relu(e)  t = Concat<axis = 1>(s, r)  d = Conv<group = 3>(t, W)",
    ),
    "a mask, a border, a transposition": (
        "float[1,4,1,1] M, int64[8] P, float[3,7,2,2] W",
        "m = Mul(r, M)  q = Pad(m, P)  t = Transpose<perm = [0, 3, 1, 2]>(q)  d = Conv(t, W)",
    ),
    "a matrix": (
        "int64[2] S, float[120,3] V, float[3,3,1,1] W, int64[4] R",
        "q = Reshape(r, S)  v = MatMul(q, V)  u = Reshape(v, R)  [b] s = Relu(u)  d = Conv(s, W)",
    ),
}


def image_network(weights: str, body: str) -> onnx.ModelProto:
    """1 x 1 convolution to 4 channels of 5 x 6, neurons, the body, neurons, a mean."""
    return text_model(
        f"""
        network (float[N,2,5,6] x) => (float[N,k] y) <float[4,2,1,1] W0, {weights}> {{
          c = Conv(x, W0)  [a] r = Relu(c)  {body}  [last] f = Relu(d)  g = GlobalAveragePool(f)  y = Flatten(g)
        }}
        """,
        M=np.asarray([1.0, 0.0, 2.0, -1.0]),
        P=np.asarray([0, 0, 1, 0, 0, 0, 0, 1]),
        S=np.asarray([-1, 120]),
        R=np.asarray([-1, 3, 1, 1]),
    )


ATTENTION = """
    network (float[N,5,6] x) => (float[N,5,3] y)
    <float[6,4] Q, float[6,4] K, float[6,4] V, float[4,3] W, float[3] B, float[3,4] U, float[4,3] Z> {
      q = MatMul(x, Q)  k = MatMul(x, K)  v = MatMul(x, V)
      t = Transpose<perm = [0, 2, 1]>(k)  s = MatMul(q, t)  p = Softmax<axis = -1>(s)  o = MatMul(p, v)
      w = MatMul(o, W)  b = Add(w, B)  r = Relu(b)  e = Einsum<equation = "nlc,cd->nld">(r, U)  g = Tanh(e)
      y = MatMul(g, Z) }
"""
PRODUCT = """
    network (float[N,4,6] x) => (float[N,4,4] y) <float[6,5] Q, float[6,5] K> {
      q = MatMul(x, Q)  a = Relu(q)  k = MatMul(x, K)  b = Tanh(k)  y = Einsum<equation = "nic,njc->nij">(a, b) }
"""


def by_walking(snn: onnx.ModelProto, x: np.ndarray, n_steps: int) -> dict[str, float]:
    """Additions per sample that each layer of neurons causes: its spikes step by step, one by one to every weight."""
    walker = Walker(snn, x[:1])
    neurons = [n for n in snn.graph.node if n.domain == snn_ops.DOMAIN and OPERATORS[n.op_type].height is not None]
    probe = onnx.ModelProto()
    probe.CopyFrom(snn)
    probe.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in neurons)
    session = snn_ops.Session(probe, n_steps=n_steps, batch_size=len(x))
    found = dict(zip(session.output_names, session.run(x), strict=True))
    result = {}
    for node in neurons:
        values = found[node.output[0]].reshape(n_steps, len(x), *found[node.output[0]].shape[1:])
        if node.op_type == "MultiThreshold":
            rest = np.broadcast_to(initializer(snn, node.input[3]), values[:1].shape).astype(values.dtype)
            counts = np.diff(values, axis=0, prepend=rest) != 0
        else:
            counts = np.rint(np.abs(values) / initializer(snn, node.input[2]))
        elements = counts.sum(axis=(0, 1))
        sent = np.ndenumerate(elements)
        total = sum(int(count) * walker.additions(node.output[0], (0, *index)) for index, count in sent if count)
        result[node.name] = total / len(x)
    return result


def check_by_walking(model: onnx.ModelProto, tmp_path, **options) -> None:
    conversion, snn = convert_model(model, tmp_path, **options)
    walked = by_walking(snn, samples(model)[-HELD_OUT:], conversion.options.n_steps)
    assert conversion.work.by_layer == walked
    assert sum(walked.values()) > 0
    assert conversion.work.synaptic_operations == sum(walked.values())


@pytest.mark.parametrize("neuron", ["if", "if-burst"])
@pytest.mark.parametrize("name", IMAGES)
def test_every_spike_is_counted_by_its_own_fan_out(name, neuron, tmp_path) -> None:
    """Exactly, for each layer of neurons, as many additions as its spikes cause when each walks to every weight."""
    options = {"method": "percentile", "correction": "none", "n_steps": 8}
    check_by_walking(image_network(*IMAGES[name]), tmp_path, neuron=neuron, **options)


@pytest.mark.parametrize("name", ["AveragePool with a border", "ConvTranspose", "concatenation", "a matrix"])
@pytest.mark.parametrize("exact_skips", [False, True])
def test_spikes_of_the_delta_code_too(name, exact_skips, tmp_path) -> None:
    check_by_walking(image_network(*IMAGES[name]), tmp_path, code="delta", exact_skips=exact_skips)


@pytest.mark.parametrize("text", [ATTENTION, PRODUCT], ids=["attention", "Einsum"])
def test_both_operands_of_a_product_cause_additions(text, tmp_path) -> None:
    """A spike of one operand meets the numbers of the other, and the other way round."""
    check_by_walking(text_model(text), tmp_path, code="delta")


def test_an_island_multiplies_in_every_step(tmp_path) -> None:
    """A product of two signals inside an island, and a layer behind a Softmax: T times what the trained model does."""
    model = text_model(
        """
        network (float[N,4,6] x) => (float[N,4,3] y)
        <float[6,7] W, float[7,5] Q, float[7,5] K, float[4,5] V, float[5,3] U> {
          w = MatMul(x, W)  r = Relu(w)  q = MatMul(r, Q)  k = MatMul(r, K)
          s = Einsum<equation = "nic,njc->nij">(q, k)  m = Softmax<axis = -1>(s)  v = MatMul(m, V)  d = Relu(v)
          y = MatMul(d, U) }
        """
    )
    conversion, _ = convert_model(model, tmp_path, neuron="if", method="percentile", correction="none", n_steps=16)
    first, product, after = 4 * 6 * 7, 4 * 4 * 5, 4 * 4 * 5
    assert conversion.work.analog_multiply_adds == first + product + after
    assert conversion.work.executed_multiply_adds == first + 16 * (product + after)
    energy = conversion.work.synaptic_operations * 0.9 + conversion.work.executed_multiply_adds * 4.6
    assert conversion.work.energy_ratio == pytest.approx(energy / 4.6 / conversion.work.multiply_adds)
    synapses = conversion.work.multiply_adds - conversion.work.analog_multiply_adds
    assert conversion.work.spikes_per_synapse == pytest.approx(conversion.work.synaptic_operations / synapses)


def test_a_recurrence_is_counted_in_every_step(tmp_path) -> None:
    model = text_model(
        """
        network (float[N,4,6] x) => (float[N,3] y)
        <float[6,5] Q, float[1,12,5] W, float[1,12,3] R, float[1,24] B, int64[1] Z, float[3,3] U> {
          q = MatMul(x, Q)  a = Relu(q)  t = Transpose<perm = [1, 0, 2]>(a)  l, h = LSTM<hidden_size = 3>(t, W, R, B)
          f = Squeeze(h, Z)  y = MatMul(f, U) }
        """,
        Z=np.asarray([0]),
    )
    conversion, _ = convert_model(model, tmp_path, code="delta")
    recurrence = 4 * 12 * 3
    assert conversion.work.analog_multiply_adds == recurrence
    assert conversion.work.executed_multiply_adds == 4 * recurrence  # T = 4
    assert conversion.work.multiply_adds == 4 * 6 * 5 + 4 * 12 * 5 + recurrence + 3 * 3


def test_neurobench_counts_graded_inputs_as_multiply_adds(tmp_path) -> None:
    """Binary spikes are Effective_ACs; bursts and the samples themselves Effective_MACs; zeros of either side do not count."""
    weights = np.random.default_rng(0).normal(0, 0.5, (16, 12))
    weights[::2] = 0
    model = mlp()
    tensor = next(t for t in model.graph.initializer if t.name == "W2")
    tensor.CopyFrom(onnx.numpy_helper.from_array(weights.astype(np.float32), "W2"))
    conversion, snn = convert_model(model, tmp_path, neuron="if", method="percentile", correction="none", n_steps=8)
    found = conversion.work.neurobench
    walker_rates = {layer.name: layer.spike_rate for layer in conversion.layers}
    probe = onnx.ModelProto()
    probe.CopyFrom(snn)
    spiking = [n for n in snn.graph.node if n.op_type == "IF"]
    probe.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in spiking)
    first, second = (
        (s.reshape(8, HELD_OUT, -1) != 0)
        for s in snn_ops.Session(probe, batch_size=HELD_OUT).run(samples(model)[-HELD_OUT:])[1:]
    )
    assert found.Effective_ACs == (first[..., 1::2].sum() * 12 + second.sum() * 4) / HELD_OUT
    assert found.Effective_MACs == 8 * 16  # of the samples none is 0
    assert found.Dense == 8 * 16 + 8 * (16 * 12 + 12 * 4)
    assert found.ConnectionSparsity == 8 * 12 / (8 * 16 + 16 * 12 + 12 * 4)
    assert found.ActivationSparsity == pytest.approx(1 - (first.sum() + second.sum()) / HELD_OUT / 8 / 28)
    assert found.MembraneUpdates == 28 + (first[1:].sum() + second[1:].sum()) / HELD_OUT
    assert sum(walker_rates.values()) == pytest.approx(first.mean() + second.mean())
    bursts, _ = convert_model(model, tmp_path, neuron="if-burst", method="percentile", correction="none", n_steps=8)
    assert bursts.work.neurobench.Effective_ACs == 0
    assert bursts.work.neurobench.Effective_MACs > 8 * 16
