"""Errors layer by layer against both models run by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import snn_ops
from tests.models import convert_model, initializer, mlp, samples


def test_the_error_of_a_layer_is_that_of_its_mean_over_time(tmp_path) -> None:
    conversion, snn = convert_model(mlp(), tmp_path, neuron="if", method="percentile", correction="none", n_steps=8)
    x = samples(mlp())[-8:]  # those that are held out
    activation = np.maximum(x @ initializer(snn, "W1") + initializer(snn, "B1"), 0)
    for layer, weights in zip(conversion.layers, ("2", "3"), strict=True):
        node = next(node for node in snn.graph.node if node.name == layer.name)
        probe = onnx.ModelProto()
        probe.CopyFrom(snn)
        probe.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))
        spikes = snn_ops.Session(probe, n_steps=8, batch_size=8).run(x)[1].reshape(8, 8, -1)
        error = np.linalg.norm(spikes.mean(axis=0) - activation) / np.linalg.norm(activation)
        assert layer.relative_error == pytest.approx(error, rel=1e-4)
        activation = np.maximum(activation @ initializer(snn, f"W{weights}") + initializer(snn, f"B{weights}"), 0)
