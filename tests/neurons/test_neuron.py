"""Neurons in a graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import snn_ops
from converter.conversion.main import convert
from tests.models import mlp, samples, save


@pytest.mark.parametrize("neuron", ["if", "if-burst", "sigma-delta", "lif", "adaptive-lif", "izhikevich", "few-spike"])
def test_spike_heights_are_those_of_the_spikes(neuron, tmp_path) -> None:
    """What the report calls the height of a spike divides every spike that the layer sends."""
    model = mlp()
    schedule = "two-phase" if neuron == "few-spike" else "stepped"
    conversion = convert(
        save(model, tmp_path / "m.onnx"), samples(model), neuron=neuron, schedule=schedule, method="mse", n_steps=16
    )
    proto = conversion.proto()
    for layer in conversion.layers:
        low, median, high = layer.threshold
        assert 0 <= low <= median <= high
        node = next(node for node in proto.graph.node if node.name == layer.name)
        name = node.output[0]
        if (
            neuron == "adaptive-lif"
        ):  # its amplitude is a product after the neuron, which follows TimeMean in the last layer
            if layer is conversion.layers[-1]:
                continue
            name = next(user.output[0] for user in proto.graph.node if name in user.input and user.op_type == "Mul")
        spikes = _values(proto, name, samples(model))
        heights = np.abs(spikes[spikes != 0])
        assert heights.size
        if neuron == "few-spike":  # binary digits: the highest is half the scale times T
            assert heights.max() <= 16 * high / 2 * (1 + 1e-5)
        else:
            assert heights.min() >= low * (1 - 1e-4)
            assert heights.max() <= 15 * high * (1 + 1e-4)


def _values(proto: onnx.ModelProto, name: str, x: np.ndarray) -> np.ndarray:
    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    del probe.graph.output[:]
    probe.graph.output.append(onnx.ValueInfoProto(name=name))
    return snn_ops.Session(probe, n_steps=16, batch_size=len(x)).run(x)[0]
