"""Outputs and spikes after each of several numbers of steps: as single runs of as many steps have them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import snn_ops
from converter.io.samples import check_samples
from converter.measure.steps import Reference, after_steps
from converter.normalise.ann import load_ann
from snn_ops.format import DOMAIN
from tests.models import convert_model, convnet, mlp, samples

STEPS = [1, 3, 8]


def spikes_of(model: onnx.ModelProto, x: np.ndarray, n_steps: int) -> dict[str, np.ndarray]:
    """Spikes of each neuron, mean over samples, counted from what the neurons send."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    neurons = [node for node in copy.graph.node if node.domain == DOMAIN and node.op_type in ("IF", "MultiThreshold")]
    copy.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in neurons)
    session = snn_ops.Session(copy)
    arrays = dict(zip(session.output_names, session.run_batch({"x": x}, n_steps), strict=True))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in copy.graph.initializer}
    found = {}
    for node in neurons:
        through_time = arrays[node.output[0]].reshape(n_steps, len(x), *arrays[node.output[0]].shape[1:])
        if node.op_type == "IF":
            counts = np.rint(np.abs(through_time) / constants[node.input[2]])
        else:
            first = np.broadcast_to(constants[node.input[3]], through_time[:1].shape)
            counts = np.concatenate([first, through_time[:-1]]) != through_time
        found[node.name] = counts.sum(axis=0).mean(axis=0)
    return found


@pytest.mark.parametrize("make", [mlp, convnet])
@pytest.mark.parametrize("options", [{"code": "delta", "n_steps": 8}, {"neuron": "if-burst", "n_steps": 8}])
def test_steps_of_one_run_are_runs_of_as_many_steps(make, options, tmp_path) -> None:
    _, model = convert_model(make(), tmp_path, **options)
    ann = load_ann(tmp_path / "m.onnx")
    x = samples(make(), 40, seed=3)
    labels = np.arange(40) % 3
    reference = Reference(ann, check_samples({"x": x, "y": labels}, ann.input_specs))
    trained = np.concatenate([ort.InferenceSession(tmp_path / "m.onnx").run(None, {"x": row[None]})[0] for row in x])
    np.testing.assert_allclose(reference.outputs(3, 7)["y"], trained[3:10], rtol=1e-5, atol=1e-6)
    runs = after_steps(model, "stepped", reference, STEPS)
    for run, n_steps in zip(runs, STEPS, strict=True):
        (outputs,) = snn_ops.Session(model, n_steps=n_steps).run(x)
        assert run.result.n_steps == n_steps
        assert run.result.agreement == np.mean(outputs.argmax(1) == trained.argmax(1))
        assert run.result.accuracy == np.mean(outputs.argmax(1) == labels)
        assert run.ann_accuracy == np.mean(trained.argmax(1) == labels)
        error = np.linalg.norm(outputs - trained) / np.linalg.norm(trained)
        assert run.result.relative_error == pytest.approx(error, rel=1e-4)
        expected = spikes_of(model, x, n_steps)
        assert run.spikes.keys() == expected.keys()
        for name, counts in expected.items():
            np.testing.assert_allclose(run.spikes[name][0], counts, rtol=1e-6)


def test_two_phases_have_one_number_of_steps(tmp_path) -> None:
    """The spikes are those that the layers' comparison counts."""
    conversion, model = convert_model(mlp(), tmp_path, schedule="two-phase", code="delta", exponent=5)
    ann = load_ann(tmp_path / "m.onnx")
    held_out = check_samples(samples(mlp())[-8:], ann.input_specs)
    (run,) = after_steps(model, "two-phase", Reference(ann, held_out), [4])
    total = sum(float(counts.sum()) for counts in run.spikes.values())
    assert total == pytest.approx(conversion.work.spikes)
    assert run.result.relative_error == pytest.approx(conversion.measured.relative_error)
