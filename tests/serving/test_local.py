from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
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

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


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

        async def held_call(function, after=None):
            return await call(lambda: (wait(), function())[1], after)

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


def test_the_examples_of_the_page(model, tmp_path, monkeypatch) -> None:
    """Those in Python, on a smaller model."""
    monkeypatch.chdir(tmp_path)
    x, alone = rows(6), Session(model)
    np.save("images.npy", x)
    np.save("frames.npy", x.reshape(3, 2, 8))
    server = LocalServer(
        Application(Service(SpikingModel(model), running=Running(batch=1, count_spikes=False))), Listening(port=0)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    found = []
    try:
        for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            for there, here in (
                ("localhost:8000", server.url[7:]),
                ("lenet5", "m"),
                ('"image"', '"x"'),
                ('logits")', 'y")'),
            ):
                code = code.replace(there, here)
            names: dict[str, object] = {}
            exec(code, names)
            found.append(names["logits"])
            if "client" in names:
                names["client"].close()
    finally:
        server.stop()
        thread.join()
    np.testing.assert_array_equal(found[0], alone.run(x)[0])
    stream = alone.stream()
    expected = [stream.run(frame)[0] for frame in x.reshape(3, 2, 8)][-1]
    np.testing.assert_array_equal(found[1].reshape(2, 4), expected)


def test_an_address_that_cannot_be_used(model) -> None:
    application = Application(Service(SpikingModel(model), running=Running(batch=1, count_spikes=False)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "no.such.host.invalid", "203.0.113.1"):
            with pytest.raises(RefusedError, match=rf"^cannot listen at {host}:{port}: ") as caught:
                LocalServer(application, Listening(host, port))
            assert "\n" not in str(caught.value)
    application.service.stop()


def test_clients_that_do_not_read_what_they_are_sent(model, monkeypatch) -> None:
    """Of a stream, and of requests one after the other: their connections end, and what waited for them with it."""
    monkeypatch.setattr("converter.serving.local.UNREAD_SECONDS", 0.2)
    service = Service(SpikingModel(model), running=Running(batch=1, count_spikes=False))
    server = LocalServer(Application(service), Listening(port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    host, port = server.url.removeprefix("http://").split(":")
    message = json.dumps({"command": "save"}).encode()
    frame = b"\x81" + bytes([0x80 | len(message)]) + bytes(4) + message
    first = body(rows(16)).encode()
    long = b"\x81" + bytes([0x80 | 126]) + len(first).to_bytes(2, "big") + bytes(4) + first
    upgrade = (
        b"GET /v2/models/m/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    metadata = b"GET /v2/models/m HTTP/1.1\r\nHost: x\r\n\r\n"
    for begin, more in ((upgrade, frame * 100), (b"", metadata * 100)):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(20)
            client.connect((host, int(port)))
            if begin:
                client.sendall(begin)
                assert client.recv(4096).startswith(b"HTTP/1.1 101")
                client.sendall(long)
            with pytest.raises(ConnectionError):
                while True:
                    client.sendall(more)
    until = time.monotonic() + 20
    while (service._open or server._server.server_state.connections) and time.monotonic() < until:
        time.sleep(0.01)
    assert service._open == 0
    assert not server._server.server_state.connections
    server.stop()
    thread.join()
