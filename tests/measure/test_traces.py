"""What neurons do over time, against the trained network and a run of the same neurons by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converter import SpikingModel, convert
from converter.measure import traces
from converter.measure.traces import Histogram, Watch, picture_of, record_firing
from snn_ops import RecordingError
from tests.models import initializer, mlp, samples, save

STEPS = 16


def converted(folder: Path, activation: str = "Relu", **options):
    model = mlp(activation)
    path = save(model, folder / "m.onnx")
    x = samples(model, 32)
    fixed = {"method": "percentile", "correction": "none"} if options["code"] == "rate" else {}
    conversion = convert(path, x, traces=True, **fixed, **options)
    conversion.save(folder / "m.snn.onnx")
    return conversion, x


@pytest.mark.parametrize(
    ("options", "activation"),
    [
        ({"code": "rate", "neuron": "if-burst"}, "Relu"),
        ({"code": "rate", "neuron": "sigma-delta"}, "Tanh"),
        ({"code": "rate", "neuron": "lif"}, "Tanh"),  # with an offset, after the last layer behind the mean over time
        ({"code": "rate", "neuron": "few-spike", "schedule": "two-phase"}, "Relu"),
        ({"code": "delta"}, "Relu"),
        ({"code": "delta", "schedule": "two-phase", "exponent": 6}, "Relu"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) and len(value) < 3 else None,
)
def test_the_error_after_all_steps_is_that_of_the_layer(tmp_path, monkeypatch, options, activation) -> None:
    """`Layer.relative_error` comes from another way: means that the graph computes itself."""
    monkeypatch.setattr("converter.conversion.describe.MOST_TRACED", 32)  # the same samples
    conversion, _ = converted(
        tmp_path, activation, n_steps=STEPS if options.get("schedule") != "two-phase" else 8, **options
    )
    assert conversion.traces is not None
    assert len(conversion.traces.layers) == len(conversion.layers)
    for trace, layer in zip(conversion.traces.layers, conversion.layers, strict=True):
        assert trace.name == layer.name
        assert trace.errors[-1] == pytest.approx(layer.relative_error, rel=1e-3, abs=1e-6)
        assert max(trace.errors) > trace.errors[-1] or trace.errors[-1] < 1e-6
        mean = float(np.average((trace.rates.edges[1:] + trace.rates.edges[:-1]) / 2, weights=trace.rates.counts))
        width = trace.rates.edges[1] - trace.rates.edges[0]
        assert mean == pytest.approx(layer.spike_rate, abs=width)
        assert trace.density is not None
        diagonal = np.unravel_index(trace.density.counts.argmax(), trace.density.counts.shape)
        near = trace.density.sent[diagonal[0]] - trace.density.activation[diagonal[1]]
        assert abs(near) < 0.1 * np.ptp(trace.density.activation)


def test_spikes_are_those_of_neurons_run_by_hand(tmp_path) -> None:
    """IF neurons at a constant current: the first layer, simulated in a loop."""
    _, x = converted(tmp_path, code="rate", neuron="if", n_steps=STEPS)
    spiking = SpikingModel(tmp_path / "m.snn.onnx")
    node = next(node for node in spiking.proto.graph.node if node.name == "first")
    threshold = initializer(spiking.proto, node.input[2]).reshape(-1)
    model = mlp()
    current = x[0] @ initializer(model, "W1") + initializer(model, "B1")
    voltage, counts, voltages = threshold / 2, [], []
    for _ in range(STEPS):
        voltage = voltage + current
        counts.append((voltage >= threshold).astype(int))
        voltage = voltage - counts[-1] * threshold
        voltages.append(voltage / threshold)
    firing = record_firing(spiking, "first", {"x": x[:1]}, STEPS, neurons=16, followed=3)
    assert np.array_equal(firing.counts, np.array(counts)[:, firing.neurons])
    assert firing.fired == np.array(counts).any(axis=0).sum()
    assert firing.all_neurons == 16
    assert np.all(np.diff(firing.counts.sum(axis=0)) <= 0)  # the busiest first
    assert firing.in_thresholds
    assert np.allclose(firing.voltages, np.array(voltages)[:, firing.neurons[firing.followed]], atol=1e-4)
    with pytest.raises(RecordingError, match="there is no layer 'third' to record; the model has first, second"):
        record_firing(spiking, "third", {"x": x[:1]}, 4)


def test_neurons_without_an_order_of_spikes_say_so(tmp_path) -> None:
    conversion, x = converted(tmp_path, code="rate", neuron="if-burst", schedule="two-phase", n_steps=8)
    assert conversion.traces is not None
    for trace in conversion.traces.layers:
        assert "no order in time" in trace.note
        assert trace.firings == ()
        assert trace.density is not None
    with pytest.raises(RecordingError, match="no order in time"):
        record_firing(SpikingModel(tmp_path / "m.snn.onnx"), "first", {"x": x[:1]}, 8)


def test_a_layer_of_too_many_neurons_is_left_out_and_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(traces, "RECORDING_BYTES", 12 * 4 * 4 * traces.ARRAYS_OF_A_LAYER)
    conversion, _ = converted(tmp_path, code="rate", neuron="if", n_steps=4)
    assert conversion.traces is not None
    first, second = conversion.traces.layers
    assert first.note == "its 16 neurons are too many to keep 4 steps of"
    assert (second.note, len(second.firings)) == ("", traces.SAMPLES)


def test_pairs_are_thinned_out_evenly() -> None:
    watch = Watch(1, samples=10)
    rng = np.random.default_rng(0)
    for _ in range(10):
        wanted = rng.uniform(0, 1, (1, 50_000))
        watch.add(0, wanted, wanted + 0.25)
    density = watch.density(0)
    assert density is not None
    assert traces.MOST_PAIRS / 2 < density.counts.sum() <= traces.MOST_PAIRS
    assert np.trace(density.counts) == density.counts.sum()  # the same shape, moved by a quarter


def test_histograms_hold_every_value() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    histogram = Histogram.of(values)
    assert histogram.counts.sum() == 1000
    assert (histogram.edges[0], histogram.edges[-1]) == (values.min(), values.max())
    one = Histogram.of(np.full(5, 3.0))
    assert one.counts.tolist() == [5]
    assert one.edges[0] < 3 < one.edges[1]


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        ((1, 28, 28), (28, 28)),
        ((3, 32, 32), (32, 32)),
        ((32, 32, 3), (32, 32)),
        ((3, 224, 224), (56, 56)),
        ((8,), None),
        ((2, 49), None),
    ],
)
def test_what_looks_like_an_image_is_one(shape, picture) -> None:
    found = picture_of(np.random.default_rng(0).normal(size=shape))
    assert (None if found is None else found.shape) == picture
    if found is not None:
        assert (found.min(), found.max()) == (0, 1)
