"""Spike rates against spikes counted one by one."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import snn_ops
from converter.conversion.main import convert
from converter.graph.run import start_quietly
from converter.io.samples import Samples
from converter.measure.evaluation import evaluate
from converter.measure.instruments import (
    SAMPLE_SPIKES,
    SPIKES_SUFFIX,
    add_spike_rates,
    with_sample_spikes,
    with_spike_counts,
)
from converter.spiking.model import SpikingModel
from snn_ops.ops import OPERATORS, Kind, Unit
from snn_ops.single import operator_model
from tests.models import mlp, samples, save


def test_spike_rates_count_spikes(tmp_path) -> None:
    model = mlp()
    path = save(model, tmp_path / "m.onnx")
    x = samples(model, 30)
    conversion = convert(path, x, code="rate")
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


def changes(op_type: str, feed: dict[str, np.ndarray]) -> np.ndarray:
    """Of a running sum, by the reference: where a step differs from the one before; of a sum over slots, of each slot."""
    n_steps = int(feed["n_steps"])
    run, rest = OPERATORS["MultiThreshold"].run, feed["resting_value"]
    numbers = [feed["threshold"], rest, feed["finest_exponent"], np.float32(0), 0]
    at_once = op_type == "MultiThresholdSum"
    totals = run(feed["target"], n_steps, *numbers, constant_current=int(at_once))[0]
    through_time = totals.reshape(n_steps, -1, totals.shape[-1])
    return np.diff(through_time, axis=0, prepend=np.broadcast_to(rest, through_time[:1].shape)) != 0


@pytest.mark.parametrize("op_type", [name for name, operator in OPERATORS.items() if operator.height is not None])
def test_every_operator_that_spikes_is_counted(op_type) -> None:
    """An output that is n spikes high counts as n, also where the height is an area over dt."""
    operator, rng = OPERATORS[op_type], np.random.default_rng(0)
    low, high = operator.usual
    feed = {operator.input.name: rng.uniform(low, high, (8, 6)).astype(np.float32)}
    for tensor in operator.inputs[1:]:
        whole = tensor.kind is Kind.INTEGER
        feed[tensor.name] = (
            np.asarray({"n_steps": 8}.get(tensor.name, 0), np.int64) if whole else np.zeros(6, np.float32)
        )
    heights = rng.choice([0.5, 1.0, 2.0], 6).astype(np.float32)
    feed |= {parameter.name: heights for parameter in operator.parameters if parameter.name != "voltage"}
    ranks = [array.ndim for array in feed.values()]
    model = ir.from_proto(operator_model(op_type, np.float32, ranks, with_function=False))
    model.graph[0].name = "layer"
    add_spike_rates(model.graph)
    spikes, *_, rate = start_quietly(model, spiking=True).run(None, feed)
    height = heights / operator.defaults["dt"] if operator.height.per_dt else heights
    counts = np.abs(spikes) / height
    if operator.height.unit is Unit.DIFFERENTIAL:
        counts = changes(op_type, feed)
    elif operator.height.unit is Unit.BINARY and operator.gives_mean:
        counts = np.unpackbits((counts * 2**8).astype(np.uint8))
    elif operator.height.unit is not Unit.COUNTED:
        counts = counts != 0
    assert counts.any()
    assert rate == pytest.approx(counts.mean(), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"code": "rate", "neuron": "if-burst"},
        {"code": "rate", "neuron": "lif"},
        {"code": "rate", "schedule": "two-phase"},
        {"code": "delta"},
        {"code": "delta", "schedule": "two-phase"},
        {"code": "delta", "streaming": True},
    ],
    ids=str,
)
def test_spikes_of_each_sample_add_up(options, tmp_path) -> None:
    """One by one, together, and in the sums over all samples, they are the same."""
    model = mlp()
    x = samples(model, 12)
    proto = convert(save(model, tmp_path / "m.onnx"), x, n_steps=5, **options).proto()
    session = snn_ops.Session(with_sample_spikes(proto), n_steps=5)
    counts = session.run(x, outputs=[SAMPLE_SPIKES])[0]
    alone = [session.run(x[i : i + 1], outputs=[SAMPLE_SPIKES])[0] for i in range(len(x))]
    np.testing.assert_array_equal(counts, np.concatenate(alone))
    summed = snn_ops.Session(with_spike_counts(proto), n_steps=5, batch_size=len(x))
    totals = [
        array.sum() for name, array in zip(summed.output_names, summed.run(x), strict=True) if SPIKES_SUFFIX in name
    ]
    assert counts.sum() == sum(totals) > 0
    assert len(np.unique(counts)) > 1
