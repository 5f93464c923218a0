"""Multiply-adds and synaptic operations, counted by hand."""

from __future__ import annotations

import onnx
import pytest

import snn_ops
from tests.models import convert_model, mlp, samples


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
