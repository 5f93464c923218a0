from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.conversion.main import convert
from converter.errors import RefusedError
from converter.io.preprocess import Preprocessing, resized
from converter.serving.protocol import RequestError, read_message
from converter.serving.service import Limits, Running, Service, clean_name
from converter.spiking.model import SpikingModel
from snn_ops import Session
from tests.models import convert_model, mlp, text_model
from tests.serving.conftest import rows
from tests.snn_ops.test_session import random_neurons


@contextmanager
def service(path: Path, limits: Limits | None = None, **running: object) -> Iterator[Service]:
    made = Service(SpikingModel(path), limits=limits, running=Running(**{"count_spikes": False, "batch": 4, **running}))
    try:
        yield made
    finally:
        made.stop()


def request(x: np.ndarray, name: str = "x", datatype: str = "FP32", **more: object) -> bytes:
    tensor = {"name": name, "datatype": datatype, "shape": list(x.shape), "data": x.reshape(-1).tolist()}
    return json.dumps({"inputs": [tensor], **more}).encode()


def answers(made: Service, *bodies: bytes) -> list[np.ndarray]:
    async def ask() -> list[np.ndarray]:
        found = await asyncio.gather(*(made.infer(read_message(body)) for body in bodies))
        return [tensors[0][1] for tensors in found]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("/secret/folder/lenet 5.snn.onnx", "lenet-5"),
        ("..", "model"),
        ("a/b", "b"),
        ("m.onnx", "m"),
        ("\x1b[2J\n", "2J"),
        ("é/?#", "model"),
    ],
)
def test_names(given, name) -> None:
    assert clean_name(given) == name


def test_what_clients_read_has_no_path(model) -> None:
    with service(model) as made:
        text = json.dumps(made.described())
    assert str(model.parent) not in text
    assert "/" not in text


def test_answers_are_those_of_a_session(model) -> None:
    """Requests of other steps and sizes at once, each as if it were alone."""
    sizes, alone = [1, 2, 7, 16, 1, 3, 30], Session(model)
    parts = [rows(size, seed) for seed, size in enumerate(sizes)]
    steps = [1 + index % 3 for index in range(len(sizes))]
    with service(model, batch=8) as made:
        bodies = [request(x, parameters={"n_steps": n}) for x, n in zip(parts, steps, strict=True)]
        for y, x, n in zip(answers(made, *bodies), parts, steps, strict=True):
            np.testing.assert_array_equal(y, alone.run(x, n_steps=n)[0])


def test_random_neurons_draw_as_if_a_request_were_alone(tmp_path) -> None:
    onnx.save(random_neurons(), tmp_path / "m.snn.onnx")
    parts = [np.random.default_rng(seed).uniform(0, 900, (2, 3)).astype(np.float32) for seed in range(6)]
    alone = Session(tmp_path / "m.snn.onnx")
    with service(tmp_path / "m.snn.onnx") as made:
        assert made.capacity.batch == 1
        for y, x in zip(answers(made, *(request(x, name="rate") for x in parts)), parts, strict=True):
            np.testing.assert_array_equal(y, alone.run(x)[0])


def test_limits_follow_the_model(model) -> None:
    with service(model, Limits(steps=2, body=100, memory=1)) as made:
        assert (made.limits.steps, made.limits.memory) == (3, 200)
    with service(model) as made:
        assert (made.n_steps, made.limits.steps) == (3, 256)
    with service(model, n_steps=40) as made:
        assert (made.n_steps, made.limits.steps) == (40, 320)


def test_a_request_that_shall_not_wait_long(model, monkeypatch) -> None:
    with service(model) as made:
        run = made._session.run
        monkeypatch.setattr(made._session, "run", lambda *a, **k: [time.sleep(0.2), run(*a, **k)][1])
        with pytest.raises(RequestError, match="longer than the request's `timeout`") as caught:
            answers(made, request(rows(1), parameters={"timeout": 1000}))
        assert caught.value.status == 504


def test_a_fault_of_the_runtime_tells_nothing_of_the_machine(model, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"/usr/lib/x.cc:12 in {model}")

    with service(model) as made:
        monkeypatch.setattr(made._session, "run", fail)
        with pytest.raises(RequestError) as caught:
            answers(made, request(rows(1)))
    assert "/" not in caught.value.text


def test_a_model_without_streams(tmp_path) -> None:
    _, proto = convert_model(mlp(), tmp_path, code="delta", n_steps=2)
    onnx.save(proto, tmp_path / "plain.snn.onnx")
    with service(tmp_path / "plain.snn.onnx") as made:
        assert not made.has_streams
        with pytest.raises(RequestError, match="not made with --streaming"):
            made.open_stream()


def test_several_inputs_of_free_lengths(tmp_path) -> None:
    """Nothing to measure with; asked for, batches hold requests of one length each."""
    model = text_model(
        """m (float[N,K,8] a, float[N,K,8] b) => (float[N,K,4] y) <float[8,8] W, float[8,4] V>
        { s = Add(a, b) h = MatMul(s, W) [first] r = Relu(h) y = MatMul(r, V) }"""
    )
    arrays = {name: np.random.default_rng(0).normal(0, 1, (32, 3, 8)).astype(np.float32) for name in "ab"}
    onnx.save(model, tmp_path / "m.onnx")
    path = tmp_path / "m.snn.onnx"
    convert(tmp_path / "m.onnx", arrays, code="delta", n_steps=3).save(path)
    alone, bodies, expected = Session(path), [], []
    for index in range(6):
        feed = {name: array[:2, : 1 + index % 3] for name, array in arrays.items()}
        tensors = [
            {"name": name, "datatype": "FP32", "shape": list(x.shape), "data": x.tolist()} for name, x in feed.items()
        ]
        bodies.append(json.dumps({"inputs": tensors}).encode())
        expected.append(alone.run(feed)[0])
    for batch in (None, 4):
        with service(path, batch=batch) as made:
            assert made.capacity.batch == (batch or 1)
            for y, wanted in zip(answers(made, *bodies), expected, strict=True):
                np.testing.assert_array_equal(y, wanted)


def test_batches_are_measured(model, monkeypatch) -> None:
    monkeypatch.setattr("converter.serving.capacity._SECONDS", 0.001)
    with service(model, Limits(samples=8), batch=None) as made:
        assert set(made.capacity.per_second) <= {1, 2, 4, 8}
        assert made.capacity.batch in made.capacity.per_second
        np.testing.assert_array_equal(answers(made, request(rows(3)))[0], Session(model).run(rows(3))[0])


def test_of_chunks_that_wait_together_one_is_counted(model) -> None:
    """Whether a count is due is asked when a chunk runs, not when it comes."""

    async def ask(made: Service) -> None:
        streams = [made.open_stream() for _ in range(20)]
        message = read_message(request(rows(1)))
        await asyncio.gather(*(stream.answer(message, binary=False) for stream in streams))

    with service(model, count_spikes=True) as made:
        made._counter._share = 1e-9  # the next one is due in years
        asyncio.run(ask(made))
    assert made.metrics.registry.get_sample_value("onnx_snn_samples_total") == 20
    assert made.metrics.registry.get_sample_value("onnx_snn_counted_samples_total") == 1


def test_pictures_become_samples(tmp_path) -> None:
    """Beside samples of the same shape, which they are not mixed with; of another size they are brought to the model's."""
    model = text_model(
        """m (float[N,4,4,3] x) => (float[N,5] y) <float[48,5] W, float[5,5] V, int64[2] S>
        { f = Reshape(x, S) h = MatMul(f, W) [first] r = Relu(h) y = MatMul(r, V) }""",
        S=np.asarray([-1, 48]),
    )
    onnx.save(model, tmp_path / "m.onnx")
    rng, how = np.random.default_rng(0), Preprocessing(size=(4, 4), mean=(0.5,), std=(0.2, 0.3, 0.4), layout="NHWC")
    given = [rng.integers(0, 256, (n, *size, 3), np.uint8) for n, size in ((2, (4, 4)), (1, (9, 7)), (3, (4, 4)))]
    taken = [how.apply(np.stack([resized(image, (4, 4)) for image in images]), (None, 4, 4, 3)) for images in given]
    path = tmp_path / "m.snn.onnx"
    convert(tmp_path / "m.onnx", np.concatenate(taken * 6), code="delta", n_steps=3).save(path)
    bodies, expected = [], []
    for images, samples in zip(given, taken, strict=True):
        bodies += [request(images, datatype="UINT8"), request(samples)]
        expected += [Session(path).run(samples)[0]] * 2
    with service(path, preprocess=how, batch=8) as made:
        for y, wanted in zip(answers(made, *bodies), expected, strict=True):
            np.testing.assert_array_equal(y, wanted)
        with pytest.raises(RequestError, match="holds no pictures"):
            answers(made, request(rng.integers(0, 256, (1, 5, 5, 5), np.uint8), datatype="UINT8"))
    with service(path) as made, pytest.raises(RequestError, match="'x' is FP32, not 'UINT8'"):
        answers(made, bodies[0])


def test_a_model_that_cannot_run(model) -> None:
    with pytest.raises(RefusedError):
        Service(SpikingModel(model), running=Running(options={"provider": "none"}))
