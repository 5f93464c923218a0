"""The whole service, over sockets: what clients of others and hostile ones get."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.serving.conftest import LIMITS, TOKEN, Served, rows

BEARER = {"Authorization": f"Bearer {TOKEN}"}
SLOW = {"kind": "infer", "status": "408"}
INFER = "/v2/models/m/infer"
STREAM = "/v2/models/m/stream"


def ask(
    served: Served, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, object], dict[str, str]]:
    """Status, the JSON of the answer, its headers."""
    connection = http.client.HTTPConnection(served.place, timeout=10)
    try:
        connection.request(method, path, body or None, BEARER if headers is None else headers)
        answer = connection.getresponse()
        text = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, json.loads(text) if text[:1] == b"{" else {"text": text.decode()}, found
    finally:
        connection.close()


def entries(x: np.ndarray, **more: object) -> dict[str, object]:
    tensor = {"name": "x", "datatype": "FP32", "shape": list(x.shape), "data": x.reshape(-1).tolist()}
    return {"inputs": [tensor], **more}


def infer(served: Served, **changes: object) -> tuple[int, dict[str, object], dict[str, str]]:
    return ask(served, "POST", INFER, json.dumps({**entries(rows(1)), **changes}).encode())


def raw(served: Served, data: bytes) -> bytes:
    """What comes back when these bytes are sent: an answer, or all until the server closes."""
    host, port = served.place.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
            head, _, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length and len(body) >= int(length[1]):
                break
        return received


def lives(served: Served) -> None:
    x = rows(2, seed=9)
    status, found, _ = ask(served, "POST", INFER, json.dumps(entries(x)).encode())
    assert status == 200
    np.testing.assert_array_equal(np.float32(found["outputs"][0]["data"]).reshape(2, 4), served.alone.run(x)[0])


@pytest.fixture
def client(served) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(served.place) as client:
        yield client


@pytest.mark.parametrize("binary", [False, True])
def test_a_client_of_others(served, client, binary) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("m", headers=dict(BEARER))
    assert client.get_server_metadata(headers=dict(BEARER))["name"] == "onnx-snn"
    metadata = client.get_model_metadata("m", "1", headers=dict(BEARER))
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 8]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}]
    x = rows(5)
    given = triton.InferInput("x", [5, 8], "FP32")
    given.set_data_from_numpy(x, binary_data=binary)
    for n_steps in (None, 2):
        outputs = [triton.InferRequestedOutput("y", binary_data=binary)]
        options = {"parameters": {"n_steps": n_steps}} if n_steps else {"outputs": outputs}
        result = client.infer("m", [given], request_id="of mine", headers=dict(BEARER), **options)
        np.testing.assert_array_equal(result.as_numpy("y"), served.alone.run(x, n_steps=n_steps)[0])
        assert result.get_response()["id"] == "of mine"
    with pytest.raises(InferenceServerException, match=r"\[404\] there is no model 'other'"):
        client.infer("other", [given], headers=dict(BEARER))


def test_many_clients_at_once_each_get_their_own_answer(served) -> None:
    x = rows(96, seed=3)
    expected = served.alone.run(x)[0]
    before = served.service.metrics.registry.get_sample_value("onnx_snn_batch_samples_count")
    found: dict[int, np.ndarray] = {}

    def work(first: int) -> None:
        connection = http.client.HTTPConnection(served.place)
        for index in range(first, first + 6):
            connection.request("POST", INFER, json.dumps(entries(x[index : index + 1])), BEARER)
            found[index] = np.float32(json.loads(connection.getresponse().read())["outputs"][0]["data"])
        connection.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 96, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack([found[index] for index in range(96)]), expected)
    batches = served.service.metrics.registry.get_sample_value("onnx_snn_batch_samples_count") - before
    assert 96 / 8 <= batches <= 96


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"parameters": {"n_steps": 10**9}}, 400, "from 1 to 256"),
        ({"parameters": {"n_steps": 0}}, 400, "from 1 to 256"),
        ({"parameters": {"n_steps": 2.5}}, 400, "from 1 to 256"),
        ({"parameters": {"n_step": 2}}, 400, "unknown parameter 'n_step'"),
        ({"parameters": {"sequence_id": 4}}, 400, "a stream is a WebSocket at /v2/models/m/stream"),
        ({"parameters": {"timeout": -1}}, 400, "microseconds"),
        ({"inputs": entries(rows(17))["inputs"]}, 400, "17 samples are more than the 16"),
        ({"inputs": entries(np.full((1, 8), np.nan))["inputs"]}, 400, "NaN or infinity, first in sample 0"),
        ({"inputs": entries(rows(1)[:, :7])["inputs"]}, 400, r"it needs \[-1, 8\]"),
        ({"outputs": [{"name": "z"}]}, 400, "none of the outputs"),
    ],
)
def test_bad_requests(served, changes, status, words) -> None:
    found, answer, _ = infer(served, **changes)
    assert found == status
    assert list(answer) == ["error"]
    assert re.search(words, answer["error"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", BEARER, 404),
        ("GET", "/v2/models", BEARER, 404),
        ("GET", "/v2/models/x", BEARER, 404),
        ("GET", "/v2/models/m/versions/2", BEARER, 404),
        ("GET", "/v2/models/m/../../../etc/passwd", BEARER, 404),
        ("GET", "/v2/models/m/%2e%2e%2fetc", BEARER, 404),
        ("POST", "/v2/models/m", BEARER, 405),
        ("GET", INFER, BEARER, 405),
        ("DELETE", INFER, BEARER, 405),
        ("GET", STREAM, BEARER, 426),
        ("GET", "/v2/models/m/versions/1/ready", BEARER, 200),
        ("HEAD", "/v2/health/live", {}, 200),
        ("GET", "/v2/health/live", {}, 200),
        ("GET", "/v2/models/m", {}, 401),
        ("GET", "/metrics", {}, 401),
        ("GET", "/metrics", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("GET", "/metrics", {"Authorization": f"Bearer {TOKEN}x"}, 401),
        ("GET", "/metrics", {"Authorization": f"bearer {TOKEN}"}, 200),
        ("GET", "/v2/health/live", {"Origin": "https://elsewhere.example"}, 403),
        ("GET", "/v2", {**BEARER, "Origin": "https://page.example"}, 200),
    ],
)
def test_paths(served, method, path, headers, status) -> None:
    assert ask(served, method, path, headers=headers)[0] == status


def test_web_pages(served) -> None:
    """A browser asks first, without the token; it lets a page read answers that name its origin only."""
    origin = {"Origin": "https://page.example"}
    status, _, headers = ask(served, "OPTIONS", INFER, headers={**origin, "Access-Control-Request-Method": "POST"})
    assert (status, headers["access-control-allow-origin"]) == (204, "https://page.example")
    assert "authorization" in headers["access-control-allow-headers"]
    assert ask(served, "OPTIONS", INFER, headers={"Origin": "https://elsewhere.example"})[0] == 403
    status, _, headers = ask(served, "POST", INFER, json.dumps(entries(rows(1))).encode(), {**BEARER, **origin})
    assert (status, headers["access-control-allow-origin"]) == (200, "https://page.example")


def request(length: object, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"POST {INFER} HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (request(1 << 30), 413, "are more than the 1048576"),
        (request(10**17), 413, "are more than"),
        (request(None, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), 411, "Content-Length"),
        (request(2, "Content-Encoding: gzip", body=b"{}"), 415, "compressed"),
        (request(2, "Inference-Header-Content-Length: 1073741824", body=b"{}"), 400, "is more than 2 bytes"),
        (request(2, "Inference-Header-Content-Length: -1", body=b"{}"), 400, "must be a number of bytes"),
        (request(2, f"Inference-Header-Content-Length: {'9' * 5000}", body=b"{}"), 400, "must be a number of bytes"),
        (request(2, "Inference-Header-Content-Length: 1", body=b"{}"), 400, "is no JSON"),
        (request("x", body=b"{}"), 400, "Invalid HTTP request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "Invalid HTTP request"),
    ],
)
def test_refused_before_it_is_read(served, data, status, words) -> None:
    answer = raw(served, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert words in answer.decode()
    lives(served)


def test_headers_without_end(served) -> None:
    """A header of a gigabyte ends after 64 KiB, whether in one line or many."""
    for first, more in ((b"GET / HTTP/1.1\r\nX: ", b"a" * 65536), (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 11000)):
        host, port = served.place.split(":")
        sent = 0
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(first)
            with contextlib.suppress(ConnectionError):
                for _ in range(512):
                    connection.sendall(more)
                    sent += len(more)
        assert sent < 16 << 20  # what lies in the buffers of the system counts as sent
    lives(served)


def test_slow_clients(served, monkeypatch) -> None:
    """One that sends a part of its request gets an answer after the time limit, and holds up nobody."""
    monkeypatch.setattr(served.service, "limits", replace(served.service.limits, seconds=2.0))
    slow: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: slow.append(raw(served, request(1000, body=b"{" * 10)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    while served.service.metrics.registry.get_sample_value("onnx_snn_requests_total", SLOW) is None:
        lives(served)
    for thread in threads:
        thread.join()
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in slow)
    assert len(slow) == 8


def test_clients_that_leave(served) -> None:
    host, port = served.place.split(":")
    body = json.dumps(entries(rows(16))).encode()
    for cut in (10, len(body) // 2, len(body)):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(request(len(body), body=body[:cut]))
    lives(served)


def test_pipelined_requests_come_back_in_order(served) -> None:
    bodies = [json.dumps(entries(rows(1), id=str(index))).encode() for index in range(3)]
    data = b"".join(request(len(body), body=body) for body in bodies)
    host, port = served.place.split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"]}]}"):
            received += connection.recv(65536)
    assert re.findall(rb'"id":"(\d)"', received) == [b"0", b"1", b"2"]


def test_metrics(served) -> None:
    infer(served)
    infer(served, parameters={"n_steps": 0})
    text = ask(served, "GET", "/metrics")[1]["text"]
    assert 'onnx_snn_requests_total{kind="infer",status="200"}' in text
    assert 'onnx_snn_requests_total{kind="infer",status="400"}' in text
    for name in ("request_seconds", "queue_seconds", "batch_samples", "run_seconds"):
        assert f"onnx_snn_{name}_bucket" in text
    for name in ("steps", "counted_spikes"):
        assert float(re.search(rf"^onnx_snn_{name}_total (\S+)", text, re.MULTILINE)[1]) > 0


def talk(socket: ClientConnection, **message: object) -> dict[str, object]:
    socket.send(json.dumps(message))
    return json.loads(socket.recv(timeout=10))


def open_stream(served: Served, **options: object) -> ClientConnection:
    return connect(f"ws://{served.place}{STREAM}", additional_headers=BEARER, **options)


def test_a_stream_is_that_of_a_session(served) -> None:
    """Text and binary, saved, reset and restored in another connection."""
    x = rows(12).reshape(6, 2, 8)
    alone = served.alone.stream()
    with open_stream(served) as stream:
        for index, chunk in enumerate(x[:4]):
            if index % 2:
                found = talk(stream, **entries(chunk, parameters={"n_steps": 2}))["outputs"][0]
                y = np.float32(found["data"]).reshape(found["shape"])
            else:
                header = json.dumps(
                    {
                        "id": "b",
                        "inputs": [
                            {"name": "x", "datatype": "FP32", "shape": [2, 8], "parameters": {"binary_data_size": 64}}
                        ],
                        "parameters": {"n_steps": 2, "new_frame": True},
                    }
                ).encode()
                stream.send(len(header).to_bytes(4, "little") + header + chunk.tobytes())
                answer = stream.recv(timeout=10)
                size = int.from_bytes(answer[:4], "little")
                assert json.loads(answer[4 : 4 + size])["id"] == "b"
                y = np.frombuffer(answer[4 + size :], np.float32).reshape(2, 4)
            np.testing.assert_array_equal(y, alone.run(chunk, 2, new_frame=index % 2 == 0)[0])
        saved = talk(stream, command="save")["states"]
        assert talk(stream, command="reset") == {"states": []}
        fresh = np.float32(talk(stream, **entries(x[0]))["outputs"][0]["data"]).reshape(2, 4)
        np.testing.assert_array_equal(fresh, served.alone.stream().run(x[0])[0])
    with open_stream(served) as other:
        assert talk(other, command="save") == {"states": []}
        assert talk(other, command="restore", states=saved) == {"states": []}
        assert talk(other, command="save")["states"] == saved
        for chunk in x[4:]:
            y = np.float32(talk(other, **entries(chunk))["outputs"][0]["data"]).reshape(2, 4)
            np.testing.assert_array_equal(y, alone.run(chunk)[0])


def test_errors_in_a_stream_leave_it_where_it_was(served) -> None:
    x = rows(4).reshape(2, 2, 8)
    alone = served.alone.stream()
    with open_stream(served) as stream:
        talk(stream, **entries(x[0]))
        alone.run(x[0])
        saved = talk(stream, command="save")["states"]
        broken = [{**state} for state in saved]
        broken[0]["data"] = [float("nan")] * len(broken[0]["data"])
        for message, words in (
            (entries(rows(3)), "the stream began with 2 samples, not 3"),
            (entries(np.full((2, 8), np.inf)), "NaN or infinity"),
            (entries(x[0], parameters={"n_steps": 10**9}), "from 1 to 256"),
            (entries(x[0], parameters={"new_frame": 1}), "true or false"),
            ({"command": "stop"}, "must be run, reset, save or restore"),
            ({"command": "restore"}, "`states` must be a list"),
            ({"command": "restore", "states": saved[1:]}, "states has no"),
            ({"command": "restore", "states": broken}, "NaN or infinity"),
        ):
            answer = talk(stream, **message)
            assert answer["status"] == 400
            assert words in answer["error"]
        stream.send(b"\1")
        assert b"begins with 4 bytes" in stream.recv(timeout=10)
        y = np.float32(talk(stream, **entries(x[1]))["outputs"][0]["data"]).reshape(2, 4)
        np.testing.assert_array_equal(y, alone.run(x[1])[0])


def test_streams_are_bounded(served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(LIMITS.streams):
            stack.enter_context(open_stream(served))
        with pytest.raises(InvalidStatus, match="503"):
            open_stream(served)
    until = time.monotonic() + 5
    while served.service._open and time.monotonic() < until:
        time.sleep(0.01)
    with open_stream(served) as stream:
        assert talk(stream, command="save") == {"states": []}


def test_who_may_open_a_stream(served) -> None:
    place = f"ws://{served.place}"
    for url, options, status in (
        (STREAM, {}, 401),
        (STREAM, {"additional_headers": BEARER, "origin": "https://elsewhere.example"}, 403),
        ("/v2/models/x/stream", {"additional_headers": BEARER}, 404),
        (INFER, {"additional_headers": BEARER}, 404),
    ):
        with pytest.raises(InvalidStatus) as caught:
            connect(place + url, **options)
        assert caught.value.response.status_code == status
    with connect(place + STREAM, additional_headers=BEARER, origin="https://page.example") as stream:
        assert talk(stream, command="save") == {"states": []}


def test_streams_that_idle_are_closed(served, monkeypatch) -> None:
    monkeypatch.setattr(served.service, "limits", replace(served.service.limits, idle=0.3))
    with open_stream(served) as stream:
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv(timeout=10)
        assert caught.value.rcvd.code == 4408


def test_streams_that_send_too_much_are_closed(served) -> None:
    with open_stream(served, max_size=None) as stream:
        with pytest.raises(ConnectionClosed) as caught:
            stream.send("x" * (LIMITS.body + 1))
            stream.recv(timeout=10)
        assert caught.value.rcvd.code == 1009
    with open_stream(served) as stream:
        with pytest.raises(ConnectionClosed) as caught:
            stream.send(["x"] * 5000)
            stream.recv(timeout=10)
        assert caught.value.rcvd is None or caught.value.rcvd.code == 1009
    lives(served)
