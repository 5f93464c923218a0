"""Multiply-adds and synaptic operations, counted by hand."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

import snn_ops
from converter.measure.cost import Work, multiply_adds
from tests.models import convert_model, mlp, samples, text_model


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
        spikes = snn_ops.Session(probe, batch_size=32).run(samples(mlp())[:32])[1]
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
