"""Spike rates against spikes counted one by one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.io.samples import Samples
from converter.measure.evaluation import evaluate
from converter.spiking.model import SpikingModel
from tests.models import mlp, samples, save


def test_spike_rates_count_spikes(tmp_path) -> None:
    model = mlp()
    path = save(model, tmp_path / "m.onnx")
    x = samples(model, 30)
    conversion = convert(path, x)
    conversion.save(tmp_path / "m.snn.onnx")
    found = evaluate(SpikingModel(tmp_path / "m.snn.onnx"), Samples({"x": x}, None), [16])
    proto = conversion.proto()
    neurons = [n for n in proto.graph.node if n.op_type == "IF"]
    for node in neurons:
        proto.graph.output.append(type(proto.graph.output[0])(name=node.output[0]))
    numbers = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    spikes = snn_ops.Session(proto, n_steps=16, batch_size=30).run(x)[1:]
    for node, rate, train in zip(neurons, found.spike_rates.values(), spikes, strict=True):
        counts = np.abs(train) / numbers[node.input[2]]
        np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
        assert counts.max() > 1  # bursts
        assert rate == pytest.approx(float(counts.mean()), rel=1e-5)
    assert list(found.spike_rates) == ["first", "second"]
    several = evaluate(SpikingModel(tmp_path / "m.snn.onnx"), Samples({"x": x}, None), [1, 2, 16])
    assert several.spike_rates == pytest.approx(found.spike_rates)  # whatever else is read out
    assert found.ann_accuracy is None
    assert found.steps[0].accuracy is None
    assert found.steps[0].relative_error is None
