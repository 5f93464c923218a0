"""A stream's accuracy and spikes, against the same stream run and counted by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import snn_ops
from converter import SpikingModel
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.io.samples import check_samples
from converter.measure.sequence import evaluate_stream
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN
from tests.models import mlp, samples, save

STEPS = 6
WAYS = {
    "leaky": {"code": "rate", "neuron": "if-burst", "readout": "leaky", "n_steps": STEPS},
    "delta": {"code": "delta", "n_steps": STEPS},
    "delta, two-phase": {"code": "delta", "schedule": "two-phase"},
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_measured(way, tmp_path) -> None:
    x = samples(mlp(), 64)
    path = save(mlp(), tmp_path / "m.onnx")
    ann = load_ann(path)
    conversion = convert(ann, x, streaming=True, **WAYS[way])
    conversion.save(tmp_path / "m.snn.onnx")
    spiking = SpikingModel(tmp_path / "m.snn.onnx")
    steps = spiking.n_steps
    labels = np.random.default_rng(3).integers(0, 4, 20)
    found = evaluate_stream(spiking, check_samples({"x": x[:20], "y": labels}, ann.input_specs), against=ann)

    proto = conversion.proto()
    neurons = [node for node in proto.graph.node if node.domain == DOMAIN and node.name in found.frames[0].spike_rates]
    proto.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in neurons)
    stream = snn_ops.Session(proto).stream()
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    sums: dict[str, np.ndarray] = {}
    for index, frame in enumerate(found.frames):
        spikes = dict.fromkeys(frame.spike_rates, 0.0)
        for _ in range(steps):
            y, *outputs = stream.run(x[index : index + 1], 1)
            for node, output in zip(neurons, outputs, strict=True):
                height = constants[node.input[2]]
                if node.op_type == "BoundedIF":
                    spikes[node.name] += np.abs(output / height).mean()
                    continue
                before = sums.get(node.name, np.broadcast_to(constants[node.input[3]], output.shape))
                sums[node.name] = output
                at_most_one = WAYS[way].get("schedule") is None
                spikes[node.name] += (output != before).mean() if at_most_one else digits(output - before, height)
        for name, count in spikes.items():
            assert frame.spike_rates[name] == pytest.approx(count / steps, rel=1e-4, abs=1e-6)
        assert frame.right == bool(y.argmax() == labels[index])
        assert frame.agrees == bool(y.argmax() == ann_output(path, x[index : index + 1]).argmax())
    assert len(found.frames) == 20
    expected = ann_output(path, x[:20]).argmax(1)
    assert found.ann_accuracy == pytest.approx((expected == labels).mean())
    assert found.parts["all"].accuracy == pytest.approx(np.mean([frame.right for frame in found.frames]))
    assert (found.parts["first"].frames, found.parts["later"].frames) == (1, 19)
    assert found.parts["all"].synaptic_operations > 0
    assert found.parts["all"].energy_ratio > 0


def digits(change: np.ndarray, height: np.ndarray) -> float:
    """Spikes of a change, mean over neurons: some of height 1, and the digits of the non-adjacent form of what is left."""
    change = np.abs(change / height)
    ones = np.maximum(0, np.floor(change - 0.75) + 1)
    left, count = np.abs(np.round((change - ones) * 2**14)).astype(np.int64), ones.sum()
    while left.any():
        digit = np.where(left % 2 == 1, 2 - left % 4, 0)
        count += np.abs(digit).sum()
        left = (left - digit) // 2
    return float(count) / change.size


def ann_output(path, x: np.ndarray) -> np.ndarray:
    return onnx.reference.ReferenceEvaluator(str(path)).run(None, {"x": x})[0]


@pytest.mark.parametrize("way", WAYS)
def test_energy_of_the_calibration_samples_is_that_of_the_file(way, tmp_path) -> None:
    """Frames far apart in time cost what single samples cost: the layers' fan-out is the file's."""
    x = samples(mlp(), 64)
    path = save(mlp(), tmp_path / "m.onnx")
    conversion = convert(path, x, streaming=True, **WAYS[way])
    conversion.save(tmp_path / "m.snn.onnx")
    spiking, single = SpikingModel(tmp_path / "m.snn.onnx"), []
    for index in range(56, 64):  # those held out
        feed = check_samples({"x": x[index : index + 1]}, spiking.inputs)
        single.append(evaluate_stream(spiking, feed).frames[0])
    totals = conversion.totals()
    assert np.mean([frame.synaptic_operations for frame in single]) == pytest.approx(totals.synaptic_operations, 1e-3)
    assert np.mean([frame.energy_ratio for frame in single]) == pytest.approx(totals.energy_ratio, 1e-3)


def test_refusals(tmp_path) -> None:
    x = samples(mlp(), 40)
    convert(save(mlp(), tmp_path / "m.onnx"), x, code="delta").save(tmp_path / "m.snn.onnx")
    spiking = SpikingModel(tmp_path / "m.snn.onnx")
    feed = check_samples({"x": x}, spiking.inputs)
    with pytest.raises(RefusedError, match="--streaming"):
        evaluate_stream(spiking, feed)
    with pytest.raises(RefusedError, match="at least 1"):
        evaluate_stream(spiking, feed, 0)
