from __future__ import annotations

import http.client
import json
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from converter.errors import RefusedError
from converter.serving.http import Application
from converter.serving.local import Listening, LocalServer
from converter.serving.service import Running, Service
from converter.spiking.model import SpikingModel
from snn_ops import Session
from tests.serving.conftest import rows


class Held:
    """A server whose model runs when it may."""

    def __init__(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.began = threading.Event(), threading.Semaphore(0)
        self.service = Service(SpikingModel(model), running=Running(batch=1, count_spikes=False))
        self.server = LocalServer(Application(self.service), Listening(port=0))
        batcher = self.service._batcher
        run, call = batcher._run, batcher.call

        def wait() -> None:
            self.began.release()
            assert self.gate.wait(20)

        async def held_call(function):
            return await call(lambda: (wait(), function())[1])

        monkeypatch.setattr(batcher, "_run", lambda *arguments: (wait(), run(*arguments))[1])
        monkeypatch.setattr(batcher, "call", held_call)
        self.place = self.server.url.removeprefix("http://")
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()


def body(x: np.ndarray) -> str:
    tensor = {"name": "x", "datatype": "FP32", "shape": list(x.shape), "data": x.reshape(-1).tolist()}
    return json.dumps({"inputs": [tensor]})


def test_a_server_that_ends_answers_what_is_in_flight(model, monkeypatch) -> None:
    """Requests that run or wait, and the chunk of a stream; connections that ask nothing are closed."""
    held, x, alone = Held(model, monkeypatch), rows(4), Session(model)
    clients = [http.client.HTTPConnection(held.place, timeout=20) for _ in range(3)]
    idle = http.client.HTTPConnection(held.place, timeout=20)
    idle.request("GET", "/v2/health/ready")
    assert json.loads(idle.getresponse().read())["ready"] is True
    with connect(f"ws://{held.place}/v2/models/m/stream") as stream:
        for index, client in enumerate(clients):
            client.request("POST", "/v2/models/m/infer", body(x[index : index + 1]))
        assert held.began.acquire(timeout=20)
        stream.send(body(x[3:]))
        while held.service._batcher.waiting < 3:
            held.thread.join(0.01)
        held.server.stop()
        while idle.sock is not None and idle.sock.recv(1) != b"":
            pass
        with pytest.raises(ConnectionError):
            socket.create_connection(held.place.split(":"), timeout=5)
        held.gate.set()
        for index, client in enumerate(clients):
            answer = json.loads(client.getresponse().read())
            np.testing.assert_array_equal(
                np.float32([answer["outputs"][0]["data"]]), alone.run(x[index : index + 1])[0]
            )
        answer = json.loads(stream.recv(timeout=20))
        np.testing.assert_array_equal(np.float32([answer["outputs"][0]["data"]]), alone.stream().run(x[3:])[0])
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv(timeout=20)
        assert caught.value.rcvd.code == 1012
    held.thread.join(20)
    assert not held.thread.is_alive()


def test_an_address_that_cannot_be_used(model) -> None:
    application = Application(Service(SpikingModel(model), running=Running(batch=1, count_spikes=False)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "no.such.host.invalid", "203.0.113.1"):
            with pytest.raises(RefusedError, match=rf"^cannot listen at {host}:{port}: ") as caught:
                LocalServer(application, Listening(host, port))
            assert "\n" not in str(caught.value)
    application.service.stop()
