"""A simulation that is read out after several numbers of steps against a run of each."""

from __future__ import annotations

import numpy as np
import onnx

import snn_ops
from converter.io.samples import Samples
from converter.measure import simulation
from converter.measure.simulation import SteppedSimulation, TwoPhaseSimulation, seconds_per_sample
from tests.models import convert_model, mlp, samples

STEPS = [1, 3, 8]
HERE = {"provider": "cpu", "provider_options": None, "threads": 1}
QUICK = {"method": "percentile", "correction": "none"}


def layer_outputs(proto: onnx.ModelProto, op_type: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """What the neurons give, by the layer's name."""
    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    nodes = [node for node in proto.graph.node if node.op_type == op_type]
    probe.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in nodes)
    outputs = snn_ops.Session(probe, n_steps=STEPS[-1], batch_size=len(x)).run(x)[1:]
    return {node.name: output for node, output in zip(nodes, outputs, strict=True)}


def ones_in_binary(mean: np.ndarray, scale: np.ndarray, steps: int) -> np.ndarray:
    """Spikes of each neuron of a few-spike code, over all samples: the ones among the digits."""
    digits = np.round(mean.astype(np.float64) / scale * 2**steps).astype(np.int64)
    return np.sum([[value.bit_count() for value in row] for row in digits.tolist()], axis=0, keepdims=True)


def test_one_stepped_run_is_read_out_after_each_number(tmp_path) -> None:
    """The layers behind the last neuron run on every mean: their product is not taken of the sum of all steps."""
    _, snn = convert_model(mlp(), tmp_path, neuron="if", **QUICK)
    x = samples(mlp(), 6)
    found, spikes = SteppedSimulation(snn, STEPS, **HERE)({"x": x})
    assert list(found) == ["y"]
    assert found["y"].shape == (3, 6, 4)
    for y, steps in zip(found["y"], STEPS, strict=True):
        np.testing.assert_allclose(y, snn_ops.Session(snn, n_steps=steps).run(x)[0], rtol=1e-5, atol=1e-6)
    assert not np.allclose(found["y"][0], found["y"][2])
    trains = layer_outputs(snn, "IF", x)
    assert spikes.keys() == trains.keys()
    for name, train in trains.items():
        np.testing.assert_array_equal(spikes[name], np.sum(train != 0, axis=0, keepdims=True))


def test_a_two_phase_model_runs_once_for_each(tmp_path) -> None:
    """Its spikes are those of the longest run."""
    _, snn = convert_model(mlp(), tmp_path, neuron="few-spike", schedule="two-phase", **QUICK)
    x = samples(mlp(), 6)
    found, spikes = TwoPhaseSimulation(snn, STEPS, **HERE)({"x": x})
    for y, steps in zip(found["y"], STEPS, strict=True):
        np.testing.assert_array_equal(y, snn_ops.Session(snn, n_steps=steps).run(x)[0])
    scales = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in snn.graph.initializer}
    means = layer_outputs(snn, "FewSpikeMean", x)
    assert spikes.keys() == means.keys()
    for name, mean in means.items():
        np.testing.assert_array_equal(spikes[name], ones_in_binary(mean, scales[f"{name}_scale"], STEPS[-1]))


def test_seconds_per_sample_is_the_median_without_the_first(monkeypatch) -> None:
    """On a clock that runs when the session does: the first run took 100 s, the median of the others 3 s, for 4 samples."""
    now, takes = [0.0], iter([100.0, 1.0, 9.0, 3.0, 2.0, 8.0])
    monkeypatch.setattr(simulation.time, "perf_counter", lambda: now[0])

    class Clocked:
        def run(self, feed) -> None:
            assert feed["x"].shape == (4, 2)
            now[0] += next(takes)

    assert seconds_per_sample(Clocked(), Samples({"x": np.zeros((4, 2))}, None), repeats=5) == 0.75
    assert next(takes, None) is None
