"""A stream's accuracy and spikes, against the same stream run and counted by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest

import snn_ops
from converter import SpikingModel
from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.io.samples import check_samples
from converter.measure.sequence import evaluate_stream, follow
from converter.normalise.ann import load_ann
from tests.measure.additions import Walker
from tests.measure.test_cost import IMAGES, image_network
from tests.models import convert_model, mlp, samples, save

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

    by_hand = frames_by_hand(conversion.proto(), x[:20], steps, slots=WAYS[way].get("schedule") is not None)
    for index, (frame, (y, spikes)) in enumerate(zip(found.frames, by_hand, strict=True)):
        assert frame.spike_rates.keys() == spikes.keys()
        for name, count in spikes.items():
            assert frame.spike_rates[name] == pytest.approx(count.mean() / steps, rel=1e-4, abs=1e-6)
        assert frame.right == bool(y.argmax() == labels[index])
        assert frame.agrees == bool(y.argmax() == ann_output(path, x[index : index + 1]).argmax())
    assert len(found.frames) == 20
    expected = ann_output(path, x[:20]).argmax(1)
    assert found.ann_accuracy == pytest.approx((expected == labels).mean())
    assert found.parts["all"].accuracy == pytest.approx(np.mean([frame.right for frame in found.frames]))
    assert (found.parts["first"].frames, found.parts["later"].frames) == (1, 19)
    assert found.parts["all"].synaptic_operations > 0
    assert found.parts["all"].energy_ratio > 0


@pytest.mark.parametrize("way", WAYS)
def test_every_spike_of_a_frame_is_counted_by_its_own_fan_out(way, tmp_path) -> None:
    """Of convolutions, which have no products beyond the border: each spike walks to every weight that it meets."""
    trained = image_network(*IMAGES["sum of two layers, of which one also goes on elsewhere"])
    x = samples(trained)[:3]
    conversion, snn = convert_model(trained, tmp_path, streaming=True, **WAYS[way])
    spiking = SpikingModel(tmp_path / "m.snn.onnx")
    found = evaluate_stream(spiking, check_samples({"x": x}, spiking.inputs))
    walker, fan_outs = Walker(snn, x[:1]), {}
    by_hand = frames_by_hand(snn, x, spiking.n_steps, slots=WAYS[way].get("schedule") is not None)
    work = conversion.totals()
    for frame, (_, spikes) in zip(found.frames, by_hand, strict=True):
        operations = 0.0
        for node in (node for node in snn.graph.node if node.name in spikes):
            fan_out = fan_outs.setdefault(node.name, np.zeros(spikes[node.name].shape))
            if not fan_out.any():
                for index in np.ndindex(*fan_out.shape):
                    fan_out[index] = walker.additions(node.output[0], index)
            operations += float((spikes[node.name] * fan_out).sum())
        assert frame.synaptic_operations == pytest.approx(operations, rel=1e-5)
        energy = (0.9 * operations + 4.6 * work.executed) / (4.6 * work.multiply_adds)
        assert frame.energy_ratio == pytest.approx(energy, rel=1e-5)
    assert len({frame.synaptic_operations for frame in found.frames}) == len(x)
    assert max(len(np.unique(fan_out)) for fan_out in fan_outs.values()) > 1


@pytest.mark.parametrize("way", WAYS)
def test_how_a_stream_follows(way, tmp_path) -> None:
    """Samples one after the other in a stream of their own, step by step; the trained model by ONNX's reference."""
    path, x = save(mlp(), tmp_path / "m.onnx"), samples(mlp(), 12)
    conversion = convert(path, samples(mlp(), 64), streaming=True, **WAYS[way])
    steps = conversion.options.steps_of_file
    found = follow(conversion.proto(), conversion.ann.model, check_samples({"x": x}, conversion.ann.input_specs), steps)
    agreeing, error, power, stream_of = [], 0.0, 0.0, snn_ops.Session(conversion.proto())
    for begin in range(12):
        stream = stream_of.stream()
        for frame in range(4):
            sample = x[[(begin + 3 * frame) % 12]]
            for _ in range(steps):
                (y,) = stream.run(sample, 1)
            if frame:
                expected = ann_output(path, sample)
                agreeing.append(bool(y.argmax() == expected.argmax()))
                error, power = error + ((y - expected) ** 2).sum(), power + (expected**2).sum()
    assert found.frames == len(agreeing) == 36
    assert found.agreement == pytest.approx(np.mean(agreeing))
    assert found.relative_error == pytest.approx(np.sqrt(error / power), rel=1e-4)


def frames_by_hand(
    proto: onnx.ModelProto, x: np.ndarray, steps: int, *, slots: bool
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The stream, run step by step: after each frame its answer, and the spikes of each neuron in it, ``[1, ...]``.

    Args:
        proto: the model as it is in the file.
        x: the frames.
        steps: of a frame.
        slots: a step has slots for several spikes.
    """
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    neurons = [node for node in model.graph.node if node.op_type in ("BoundedIF", "MultiThreshold")]
    model.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in neurons)
    stream = snn_ops.Session(model).stream()
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    sums: dict[str, np.ndarray] = {}
    for index in range(len(x)):
        spikes: dict[str, np.ndarray] = {}
        for _ in range(steps):
            y, *outputs = stream.run(x[index : index + 1], 1)
            for node, output in zip(neurons, outputs, strict=True):
                height = constants[node.input[2]]
                if node.op_type == "BoundedIF":
                    sent = np.round(np.abs(output / height))
                else:
                    before = sums.get(node.name, np.broadcast_to(constants[node.input[3]], output.shape))
                    sums[node.name] = output
                    sent = digits(output - before, height) if slots else (output != before).astype(float)
                spikes[node.name] = spikes.get(node.name, 0.0) + sent
        yield y, spikes


def digits(change: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Spikes of a change, of each neuron: some of height 1, and the digits of the non-adjacent form of what is left."""
    change = np.abs(change / height)
    count = np.maximum(0, np.floor(change - 0.75) + 1)
    left = np.abs(np.round((change - count) * 2**14)).astype(np.int64)
    while left.any():
        digit = np.where(left % 2 == 1, 2 - left % 4, 0)
        count += np.abs(digit)
        left = (left - digit) // 2
    return count


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
