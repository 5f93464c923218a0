"""Training in NengoDL: it learns, it comes back into ONNX with the same accuracy, and a killed training ends as another."""

from __future__ import annotations

import importlib.resources
import importlib.util
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
import onnx_ir as ir
import pytest

pytest.importorskip("nengo")
if importlib.util.find_spec("nengo_dl") is None:
    pytest.skip("NengoDL is not installed", allow_module_level=True)

from converter import RefusedError, convert
from converter.conversion.recalibrate import recalibrated
from converter.graph.run import start_quietly
from converter.io.samples import Samples
from converter.io.weights import weights_of
from converter.nengo.dl.simulator import DLSimulator, to_nengo_dl
from converter.nengo.dl.training import TrainingOptions, accuracy, classes, train
from converter.nengo.verify import verify
from converter.spiking.without_neurons import without_neurons
from snn_ops.session import Session
from tests.models import convnet, mlp, samples, save, scaled_gemms, text_model
from tests.nengo.models import delta_lenet5, images, lenet5


def labelled(count: int, seed: int) -> Samples:
    """Four classes that a small network can learn."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 8)).astype(np.float32)
    return Samples({"x": x}, (2 * (x[:, 0] + x[:, 1] > 0) + (x[:, 2] * x[:, 3] > 0)).astype(np.int64))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> dict[str, onnx.ModelProto]:
    """Converted networks with random weights, by neuron."""
    path = save(mlp(), tmp_path_factory.mktemp("untrained") / "m.onnx")
    tanh = save(mlp("Tanh"), tmp_path_factory.mktemp("untrained") / "t.onnx")
    x = samples(mlp())
    made = {neuron: convert(path, x, neuron=neuron).proto() for neuron in ("if", "lif")}
    return made | {"sigma-delta": convert(tanh, x, neuron="sigma-delta").proto()}


OPTIONS = TrainingOptions(epochs=4, batch_size=50, learning_rate=0.01)


@pytest.mark.parametrize("neuron", ["if", "lif", "sigma-delta"])
def test_it_learns_and_comes_back_to_the_last_sample(untrained, neuron) -> None:
    """Trained in NengoDL, run in ONNX Runtime and in NengoDL: the same class for every sample."""
    proto, validation = untrained[neuron], labelled(300, 1)
    before = accuracy(proto, validation)
    done = train(proto, labelled(2000, 0), validation, OPTIONS)
    after = accuracy(done.model, validation)
    assert done.epochs[-1].loss < done.epochs[0].loss
    assert after > max(0.75, before + 0.2)
    assert after == done.epochs[done.best].validation_accuracy
    n_steps = 32
    with DLSimulator(to_nengo_dl(done.model), minibatch=100) as simulator:
        outputs, _ = simulator.run(validation.feed, n_steps)
    np.testing.assert_array_equal(outputs["y"][:, -1].argmax(axis=1), classes(done.model, validation.feed, n_steps))


@pytest.mark.parametrize(
    "options", [{}, {"schedule": "two-phase", "exact_skips": True}, {"analog_input": True, "exact_skips": True}]
)
@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
def test_the_delta_code_learns_by_the_function_itself(activation, options, tmp_path) -> None:
    """The loss is that of the network without neurons; what comes out spikes by numbers that fit the new weights."""
    data, validation = labelled(2000, 0), labelled(300, 1)
    path = save(mlp(activation), tmp_path / "m.onnx")
    proto = convert(path, data.feed["x"][:64], code="delta", n_steps=6, **options).proto()
    still = train(proto, data, validation, replace(OPTIONS, epochs=1, learning_rate=1e-30))
    trained, _ = without_neurons(ir.from_proto(proto))
    (y,) = start_quietly(trained).run(["y"], dict(data.feed))
    of_labels = np.take_along_axis(y - np.log(np.exp(y).sum(axis=1, keepdims=True)), data.labels[:, None], 1)
    assert still.epochs[0].loss == pytest.approx(-of_labels.mean(), rel=1e-4)
    done = train(proto, data, validation, OPTIONS, calibrate=partial(recalibrated, samples=data))
    after = accuracy(done.model, validation)
    assert done.epochs[-1].loss < done.epochs[0].loss
    assert after == done.epochs[done.best].validation_accuracy
    assert after > max(0.75, accuracy(proto, validation) + 0.2)
    (y,) = start_quietly(without_neurons(ir.from_proto(done.model))[0]).run(["y"], dict(validation.feed))
    assert abs(after - (y.argmax(axis=1) == validation.labels).mean()) <= 0.02
    assert {"W1", "B1", "W2", "B2", "W3", "B3"} == set(done.trained)
    assert not np.array_equal(weights_of(proto)["a1_threshold"], weights_of(done.model)["a1_threshold"])
    found = verify(done.model, {"x": validation.feed["x"][:5]}, 6)
    assert found.differing == 0, found.first


@pytest.mark.parametrize("readout", ["window", "leaky"])
def test_a_stream_learns_what_single_samples_learn(readout, tmp_path) -> None:
    """All its weights, also those before a window, and it stays a stream."""
    path, same = save(mlp(), tmp_path / "m.onnx"), {"code": "rate", "neuron": "if-burst", "n_steps": 8}
    single = convert(path, samples(mlp()), **same).proto()
    stream = convert(path, samples(mlp()), streaming=True, readout=readout, **same).proto()
    data, of_one_epoch = (labelled(200, 0), labelled(50, 1)), replace(OPTIONS, epochs=1)
    found, expected = (train(proto, *data, of_one_epoch) for proto in (stream, single))
    assert found.trained == expected.trained == ["W1", "B1", "W2", "B2", "W3", "B3"]
    assert found.epochs[0].loss == pytest.approx(expected.epochs[0].loss, rel=1e-6)
    before, after, alike = (weights_of(proto) for proto in (stream, found.model, expected.model))
    for name in found.trained:
        np.testing.assert_allclose(after[name], alike[name], rtol=1e-5, atol=1e-6)
        assert not np.array_equal(after[name], before[name])
    (y,) = Session(found.model).stream().run(data[1].feed["x"], 8)
    np.testing.assert_array_equal(y.argmax(axis=1), classes(found.model, data[1].feed, 8))


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_lenet5_in_the_delta_code_fine_tuned_for_an_epoch(schedule) -> None:
    with np.load(importlib.resources.files("converter.demo") / "data" / "mnist_test.npz") as archive:
        x, y = images(1000), archive["y"][:1000].astype(np.int64)
    proto, data = delta_lenet5(schedule), Samples({"image": x[:800]}, y[:800])
    held_out = Samples({"image": x[800:]}, y[800:])
    options = TrainingOptions(epochs=1, learning_rate=1e-4)
    done = train(proto, data, held_out, options, calibrate=partial(recalibrated, samples=data))
    assert done.epochs[0].validation_accuracy >= accuracy(proto, held_out) - 0.01
    changed = {
        name for name, array in weights_of(proto).items() if not np.array_equal(weights_of(done.model)[name], array)
    }
    assert set(done.trained) < changed
    assert any(name.endswith("_threshold") for name in changed)
    found = verify(done.model, {"image": x[800:802]}, 4)
    assert found.differing == 0, found.first


def test_only_weights_and_biases_change(untrained) -> None:
    done = train(untrained["lif"], labelled(200, 0), labelled(50, 1), replace(OPTIONS, epochs=1))
    before, after = weights_of(untrained["lif"]), weights_of(done.model)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == set(done.trained)
    assert {"W1", "B1", "W2", "B2", "W3", "B3"} <= changed
    assert not {name for name in changed if name.endswith(("_gain", "_amplitude", "_voltage", "_threshold"))}


def test_lenet5_fine_tuned_for_an_epoch() -> None:
    """Convolutions too: kernels go out channels last and come back channels first."""
    proto = lenet5("lif")
    x = images(1000)
    with np.load(importlib.resources.files("converter.demo") / "data" / "mnist_test.npz") as archive:
        y = archive["y"][:1000].astype(np.int64)
    done = train(
        proto,
        Samples({"image": x[:800]}, y[:800]),
        Samples({"image": x[800:]}, y[800:]),
        TrainingOptions(epochs=1, learning_rate=1e-4),
    )
    assert done.epochs[0].validation_accuracy >= accuracy(proto, Samples({"image": x[800:]}, y[800:])) - 0.01
    with DLSimulator(to_nengo_dl(done.model), minibatch=50) as simulator:
        outputs, _ = simulator.run({"image": x[800:900]}, 32)
    found = outputs["logits"][:, -1].argmax(axis=1)
    np.testing.assert_array_equal(found, classes(done.model, {"image": x[800:900]}, 32))


def test_through_islands(tmp_path) -> None:
    """MaxPool, Concat, a shortcut and Softmax have gradients: all weights change, and the loss falls."""
    model = convnet()
    x = samples(model, 300)
    y = (x.mean(axis=(1, 2, 3)) > 0).astype(np.int64)
    proto = convert(save(model, tmp_path / "m.onnx"), x[:64], code="rate").proto()
    done = train(
        proto, Samples({"x": x}, y), Samples({"x": x[:50]}, y[:50]), replace(OPTIONS, epochs=3, learning_rate=0.003)
    )
    assert done.epochs[-1].loss < 0.8 * done.epochs[0].loss
    before, after = weights_of(proto), weights_of(done.model)
    assert all(not np.array_equal(before[name], after[name]) for name in done.trained)


def test_gemm_with_factors_keeps_its_weights_scale(tmp_path) -> None:
    """alpha and beta are not in the weights that come back, to the last bit: a resumed training ends as one without a break."""
    path = save(scaled_gemms(), tmp_path / "m.onnx")
    proto, data = convert(path, labelled(64, 2).feed["x"], neuron="lif").proto(), labelled(500, 0)
    still = train(proto, data, data, replace(OPTIONS, epochs=1, learning_rate=1e-30))
    for name in ("B", "C", "V", "W"):
        assert name in still.trained
        np.testing.assert_array_equal(weights_of(still.model)[name], weights_of(proto)[name], err_msg=name)
    whole = train(proto, data, data, replace(OPTIONS, epochs=2))
    assert whole.epochs[1].loss < whole.epochs[0].loss
    checkpoint = tmp_path / "c.npz"
    train(proto, data, data, replace(OPTIONS, epochs=1), checkpoint=checkpoint)
    resumed = train(proto, data, data, replace(OPTIONS, epochs=2), checkpoint=checkpoint)
    assert resumed.model == whole.model
    with DLSimulator(to_nengo_dl(whole.model), minibatch=100) as simulator:
        outputs, _ = simulator.run(data.feed, 32)
    np.testing.assert_array_equal(outputs["y"][:, -1].argmax(axis=1), classes(whole.model, data.feed, 32))


def test_probabilities_in_another_shape_are_no_logits(tmp_path) -> None:
    """A Softmax with a Reshape after it is trained as the Softmax alone."""
    text = """
        net (float[N,8] x) => (float[N,4] y)
        <float[8,16] W, float[16,4] V, int64[2] S>
        {{
          h = MatMul(x, W)
          [first] a = Relu(h)
          z = MatMul(a, V)
          {}
        }}
        """
    data, losses = labelled(100, 0), []
    for end in ("y = Softmax(z)", "p = Softmax(z)\n y = Reshape(p, S)"):
        model = text_model(text.format(end), S=np.asarray([-1, 4]))
        proto = convert(save(model, tmp_path / "m.onnx"), data.feed["x"], neuron="if").proto()
        losses.append(train(proto, data, data, replace(OPTIONS, epochs=1)).epochs[0].loss)
    assert losses[0] == losses[1]


def test_through_groups(tmp_path) -> None:
    """Depthwise and other grouped convolutions have gradients on a CPU too, and compute what ONNX Runtime does."""
    model = text_model(
        """
        grouped (float[N,2,6,6] x) => (float[N,3] y)
        <float[4,1,3,3] D, float[6,2,3,3] G, float[216,3] W, int64[2] S>
        {
          h = Conv<group = 2, pads = [1, 1, 1, 1]>(x, D)
          [first] a = Relu(h)
          g = Conv<group = 2, pads = [1, 1, 1, 1]>(a, G)
          [second] b = Relu(g)
          f = Reshape(b, S)
          y = MatMul(f, W)
        }
        """,
        S=np.asarray([0, -1]),
    )
    x = samples(model, 100)
    data = Samples({"x": x}, (x[:, 0].mean(axis=(1, 2)) > x[:, 1].mean(axis=(1, 2))).astype(np.int64))
    proto = convert(save(model, tmp_path / "m.onnx"), x, neuron="if").proto()
    done = train(proto, data, data, replace(OPTIONS, epochs=2))
    assert done.epochs[1].loss < done.epochs[0].loss
    assert all(not np.array_equal(weights_of(proto)[name], weights_of(done.model)[name]) for name in ("D", "G", "W"))
    with DLSimulator(to_nengo_dl(done.model), minibatch=50) as simulator:
        outputs, _ = simulator.run(data.feed, 32)
    np.testing.assert_array_equal(outputs["y"][:, -1].argmax(axis=1), classes(done.model, data.feed, 32))


def test_early_stopping_keeps_the_best(untrained) -> None:
    options = replace(OPTIONS, epochs=30, learning_rate=0.05, patience=1)
    done = train(untrained["if"], labelled(300, 0), labelled(100, 1), options)
    accuracies = [epoch.validation_accuracy for epoch in done.epochs]
    assert len(accuracies) < 30
    assert done.best == len(accuracies) - 2 == int(np.argmax(accuracies))
    assert accuracy(done.model, labelled(100, 1)) == max(accuracies)


KILLED = """
import sys, onnx
from pathlib import Path
from dataclasses import replace
from converter.nengo.dl.training import train
from tests.nengo.dl.test_training import OPTIONS, labelled
proto = onnx.load(sys.argv[1])
done = train(proto, labelled(2000, 0), labelled(300, 1), replace(OPTIONS, epochs=40), checkpoint=Path(sys.argv[2]))
"""


def test_killed_and_resumed_is_as_uninterrupted(untrained, tmp_path) -> None:
    """SIGKILL in the middle of a training; continued, it has the same weights, bit for bit."""
    proto, checkpoint = untrained["lif"], tmp_path / "c.npz"
    onnx.save(proto, tmp_path / "m.snn.onnx")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "m.snn.onnx", checkpoint], stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert checkpoint.exists(), process.stderr.read()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.stderr.close()
    with np.load(checkpoint) as archive:
        finished = str(archive["about"]).count('"loss"')
    options = replace(OPTIONS, epochs=finished + 2)
    data, validation = labelled(2000, 0), labelled(300, 1)
    resumed = train(proto, data, validation, options, checkpoint=checkpoint)
    assert resumed.resumed_at == finished
    whole = train(proto, data, validation, options)
    assert whole.resumed_at == 0
    assert resumed.epochs == whole.epochs
    for name, array in weights_of(whole.model).items():
        np.testing.assert_array_equal(weights_of(resumed.model)[name], array, err_msg=name)


def test_a_strange_checkpoint_is_refused(untrained, tmp_path) -> None:
    checkpoint = tmp_path / "c.npz"
    data = labelled(100, 0)
    train(untrained["if"], data, data, replace(OPTIONS, epochs=1), checkpoint=checkpoint)
    with pytest.raises(RefusedError, match="belongs to a training with another model"):
        train(untrained["lif"], data, data, replace(OPTIONS, epochs=2), checkpoint=checkpoint)
    checkpoint.write_bytes(b"no archive")
    with pytest.raises(RefusedError, match="not a checkpoint; remove it to begin anew"):
        train(untrained["if"], data, data, OPTIONS, checkpoint=checkpoint)
    for about in ("[]", "{}", "no JSON"):
        np.savez(checkpoint, about=np.asarray(about))
        with pytest.raises(RefusedError, match="not a checkpoint; remove it to begin anew"):
            train(untrained["if"], data, data, OPTIONS, checkpoint=checkpoint)


def test_weights_that_are_no_numbers_are_not_kept(untrained, tmp_path) -> None:
    data = labelled(100, 0)
    with pytest.raises(
        RefusedError, match=r"after epoch 1 of 4, a weight is no finite number: lower the learning rate"
    ):
        train(untrained["lif"], data, data, replace(OPTIONS, learning_rate=1e38), checkpoint=tmp_path / "c.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "option",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"patience": 0},
        {"n_steps": 0},
        {"seed": -1},
        {"learning_rate": float("nan")},
        {"learning_rate": 0.0},
        {"smoothing": float("nan")},
    ],
)
def test_bad_options_are_refused(option) -> None:
    with pytest.raises(RefusedError, match=next(iter(option)).replace("_", ".")):
        TrainingOptions(**option)


def test_izhikevich_is_refused() -> None:
    """Its rate would be 0, and nothing but the last bias would learn."""
    data = Samples({"image": images(100)}, np.zeros(100, np.int64))
    with pytest.raises(
        RefusedError, match=r"node '.*_izhikevich': Izhikevich has no rate in closed form to train with"
    ):
        train(lenet5("izhikevich"), data, data)


def test_bad_samples_are_refused(untrained) -> None:
    wrong = labelled(100, 0)
    wrong.labels[7] = 4
    for data, validation in ((wrong, labelled(10, 0)), (labelled(100, 0), wrong)):
        with pytest.raises(RefusedError, match="the label of sample 7 is 4, but the model has the classes 0 to 3"):
            train(untrained["if"], data, validation)
    with pytest.raises(RefusedError, match="training needs labels"):
        train(untrained["if"], Samples(labelled(100, 0).feed, None), labelled(10, 0))
    with pytest.raises(RefusedError, match="there are 20 samples to train with, fewer than a batch of 50"):
        train(untrained["if"], labelled(20, 0), labelled(10, 0), OPTIONS)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"epochs": 0}, "epochs must be at least 1, it is 0"),
        ({"learning_rate": 0.0}, "the learning rate must be above 0"),
        ({"learning_rate": float("inf")}, "the learning rate must be above 0"),
        ({"smoothing": -0.1}, "the smoothing not below it"),
        ({"seed": -1}, "the seed must not be negative, it is -1"),
    ],
)
def test_refuses_options(options, reason) -> None:
    with pytest.raises(RefusedError, match=reason):
        TrainingOptions(**options)
