"""The service as one ASGI application: the Open Inference Protocol over HTTP, and streams over WebSocket.

Whatever server runs it, the application itself refuses what is too large before it is read, bounds the time of a request and
the memory of all, and says nothing of the machine that it runs on.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

import snn_ops
from converter.serving.metrics import CHUNK, CONTENT_TYPE, INFER
from converter.serving.protocol import (
    JSON_BYTES,
    Message,
    RequestError,
    Wanted,
    json_too_large,
    read_message,
    write_message,
)
from converter.serving.service import VERSION, ServedStream, Service

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

HEADER_LENGTH = b"inference-header-content-length"
IDLE, TOO_SLOW, FAILED, ENDING = 4408, 4504, 1011, 1012
"""Codes with which a stream is closed: no message for too long, a chunk or its answer took too long, a fault of ours, the
service ends."""
_JSON, _BINARY = b"application/json", b"application/octet-stream"
_PREFIX = 4
"""Bytes before the JSON of a binary message of a stream that say its length, little-endian."""
_LINGER = 2.0
"""Seconds that a client may go on sending what nobody reads, so that it gets to read the refusal."""
_COME_BACK = (b"retry-after", b"1")

log = logging.getLogger(__name__)


class within:  # noqa: N801 # read as a word of the language, as asyncio.timeout, which Python 3.10 does not have
    """Raises TimeoutError where its block is not done after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._expired = seconds, False

    async def __aenter__(self) -> within:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired and kind is asyncio.CancelledError:
            getattr(self._task, "uncancel", int)()
            raise TimeoutError from None

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()


@dataclass(frozen=True)
class _Answer:
    """What is sent back."""

    status: int
    body: bytes
    kind: bytes = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Application:
    """The ASGI application.

    Args:
        service: the model.
        token: that clients send as ``Authorization: Bearer TOKEN`` for all but the health of the service; None: nobody needs
            one.
        origins: of web pages that may use the service, as browsers send them. Others may not: a page that somebody merely looks
            at could else use a service of this machine.
    """

    def __init__(self, service: Service, *, token: str | None = None, origins: Collection[str] = ()) -> None:
        self.service = service
        self._token = None if token is None else _digest(token.encode())
        self._origins = {origin.encode() for origin in origins}
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or holds a conversation over a WebSocket."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        unread = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        try:
            route = self._route(scope, headers)
            if route == "infer":
                unread = False
                answer = await self._infer(headers, receive, send)
            elif route == "preflight":
                answer = _Answer(204, b"", headers=_PREFLIGHT)
            else:
                answer = self._get(route)
        except RequestError as error:
            answer = _refusal(error)
        except Exception:
            log.exception("a request failed")
            answer = _refusal(RequestError(500, "a fault of the service; its log says more"))
        if answer is not None:
            await self._reply(answer, headers, receive if unread else None, send)

    def _route(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        """Where a request goes, once it may.

        Raises:
            RequestError: there is nothing, it takes another method, or the client may not.
        """
        parts, method = [part for part in scope["path"].split("/") if part], scope["method"]
        self._check_origin(headers)
        if method == "OPTIONS" and b"origin" in headers:
            return "preflight"
        if parts not in (["v2", "health", "live"], ["v2", "health", "ready"]):
            self._check_token(headers)
        route = self._place(parts)
        wanted = "POST" if route == "infer" else "GET"
        if method != wanted and not (wanted == "GET" and method == "HEAD"):
            raise RequestError(405, f"{wanted} is the method here")
        if route == "stream":
            raise RequestError(426, "a stream is a WebSocket")
        return route

    def _place(self, parts: list[str]) -> str:
        if parts in (["metrics"], ["v2"], ["v2", "health", "live"], ["v2", "health", "ready"]):
            return parts[-1]
        if parts[:2] == ["v2", "models"] and len(parts) > 2:
            if parts[2] != self.service.name:
                raise RequestError(404, f"there is no model {parts[2][:60]!r}; it is {self.service.name!r}")
            rest = parts[3:]
            if rest[:1] == ["versions"]:
                if rest[1:2] != [VERSION]:
                    raise RequestError(404, f"{self.service.name!r} has the version {VERSION!r} only")
                rest = rest[2:]
            if rest in ([], ["ready"], ["infer"], ["stream"]):
                return {"ready": "model ready"}.get(rest[0], rest[0]) if rest else "model"
        raise RequestError(404, "there is nothing at this path")

    def _get(self, route: str) -> _Answer:
        if route == "metrics":
            return _Answer(200, self.service.metrics.page(), CONTENT_TYPE.encode())
        if route == "v2":
            extensions = ["binary_tensor_data", "parameters"]
            return _json({"name": "onnx-snn", "version": snn_ops.__version__, "extensions": extensions})
        if route == "model":
            return _json(self.service.described())
        if route == "model ready":
            return _json({"name": self.service.name, "ready": True})
        return _json({route: True})  # live, ready

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        origin = headers.get(b"origin")
        if origin is not None and origin not in self._origins:
            raise RequestError(403, "web pages may not use this service; --allow-origin names those that may")

    def _check_token(self, headers: Mapping[bytes, bytes]) -> None:
        if self._token is None:
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(_digest(given.strip()), self._token):
            raise RequestError(401, "this service needs a token: Authorization: Bearer TOKEN")

    async def _infer(self, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> _Answer | None:
        """The answer to samples; None where the client has gone. It counts and times them."""
        begin, body = time.monotonic(), bytearray()
        is_read, answer = False, None
        try:
            async with within(self.service.limits.seconds):
                length, header_length = self._lengths(headers)
                is_read = await self._read(body, length, receive)
                if not is_read:
                    return None
                answer = await self._inferred(bytes(body), header_length)
        except (TimeoutError, asyncio.TimeoutError):
            what = "the answer" if is_read else "the request"
            error = RequestError(504 if is_read else 408, f"{what} took longer than {self.service.limits.seconds:g} s")
            answer = _refusal(error)
        except RequestError as error:
            answer = _refusal(error)
        except Exception:
            log.exception("a request failed")
            answer = _refusal(RequestError(500, "a fault of the service; its log says more"))
        finally:
            self._held -= len(body)
            if answer is not None:
                self.service.metrics.request(INFER, answer.status, time.monotonic() - begin)
        if is_read:
            return answer
        await self._reply(answer, headers, receive, send)
        return None

    def _lengths(self, headers: Mapping[bytes, bytes]) -> tuple[int, int | None]:
        """Bytes of the body, and of the JSON in it where binary data follow.

        Raises:
            RequestError: too many, or not said; or nothing can be taken now.
        """
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestError(415, "compressed requests are not taken")
        if b"content-length" not in headers:
            raise RequestError(411, "a request must say its Content-Length")
        length = _number(headers[b"content-length"], "Content-Length")
        header_length = None
        if HEADER_LENGTH in headers:
            header_length = _number(headers[HEADER_LENGTH], "Inference-Header-Content-Length")
            if header_length > length:
                raise RequestError(400, f"Inference-Header-Content-Length {header_length} is more than {length} bytes")
        most = self.service.limits.body
        if length > most:
            raise RequestError(413, f"{length} bytes are more than the {most} that a request may have")
        size = length if header_length is None else header_length
        if size > JSON_BYTES:
            raise RequestError(413, json_too_large(size))
        if self.service.is_full:
            raise RequestError(429, f"{self.service.limits.queue} requests wait already; come back later")
        return length, header_length

    async def _read(self, body: bytearray, length: int, receive: Receive) -> bool:
        """Reads the body; False: the client has gone."""
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return False
            part = event.get("body", b"")
            body += part
            self._held += len(part)
            if len(body) > length:
                raise RequestError(413, "the request is longer than its Content-Length")
            if self._held > self.service.limits.memory:
                raise RequestError(503, "too many requests are being read; come back later")
            if not event.get("more_body", False):
                if len(body) < length:
                    raise RequestError(400, f"the request is cut off: {len(body)} bytes of {length}")
                return True

    async def _inferred(self, body: bytes, header_length: int | None) -> _Answer:
        message = read_message(body, header_length)
        tensors = await self.service.infer(message)
        entries = {"model_name": self.service.name, "model_version": VERSION, "id": message.id}
        found, json_bytes = write_message(entries, "outputs", tensors)
        if json_bytes is None:
            return _Answer(200, found)
        return _Answer(200, found, _BINARY, ((HEADER_LENGTH, b"%d" % json_bytes),))

    async def _reply(self, answer: _Answer, headers: Mapping[bytes, bytes], unread: Receive | None, send: Send) -> None:
        """Sends the answer; where the client may still be sending, listens for a while and closes the connection."""
        sent: Headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
        if answer.body:
            sent.append((b"content-type", answer.kind))
        if unread is not None:
            sent.append((b"connection", b"close"))
        origin = headers.get(b"origin")
        if origin in self._origins:
            exposed = (b"access-control-expose-headers", HEADER_LENGTH)
            sent += [(b"access-control-allow-origin", origin), (b"vary", b"origin"), exposed]
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        if unread is None:
            await send({"type": "http.response.body", "body": answer.body})
            return
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        try:
            async with within(_LINGER):
                while (event := await unread())["type"] == "http.request" and event.get("more_body", False):
                    pass
        except (TimeoutError, asyncio.TimeoutError):
            pass
        await send({"type": "http.response.body", "body": b""})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # that it wants to connect
        headers = dict(scope["headers"])
        try:
            self._check_origin(headers)
            self._check_token(headers)
            if self._place([part for part in scope["path"].split("/") if part]) != "stream":
                raise RequestError(404, "there is no stream at this path")
            stream = self.service.open_stream()
        except RequestError as error:
            await _decline(scope, _refusal(error), send)
            return
        with stream:
            await send({"type": "websocket.accept"})
            code, reason = FAILED, "a fault of the service"
            try:
                code, reason = await self._converse(stream, receive, send)
            except OSError:  # the client has gone
                return
            except Exception:
                log.exception("a stream failed")
            if code:
                with suppress(OSError, RuntimeError):  # the client may have gone meanwhile, or does not read
                    async with within(_LINGER):
                        await send({"type": "websocket.close", "code": code, "reason": reason})

    async def _converse(self, stream: ServedStream, receive: Receive, send: Send) -> tuple[int, str]:
        """Answers messages until the client leaves; with which code and why the stream is to be closed, 0 where it is."""
        limits = self.service.limits
        while True:
            try:
                async with within(limits.idle):
                    event = await receive()
            except (TimeoutError, asyncio.TimeoutError):
                return IDLE, f"no message for {limits.idle:g} s"
            if event["type"] == "websocket.disconnect":
                return (ENDING, "the service ends") if event.get("code") == ENDING else (0, "")
            try:
                async with within(limits.seconds):
                    await send(await self._chunk(stream, event))
            except (TimeoutError, asyncio.TimeoutError):
                return TOO_SLOW, f"a chunk took longer than {limits.seconds:g} s"

    async def _chunk(self, stream: ServedStream, event: Mapping[str, Any]) -> MutableMapping[str, Any]:
        """The answer to a message: text to text, binary to binary."""
        begin, status = time.monotonic(), 200
        data: bytes | None = event.get("bytes")
        is_binary, identity = data is not None, None
        tensors: list[tuple[Wanted, np.ndarray]] = []
        try:
            message = _framed(data) if data is not None else read_message(str(event.get("text") or "").encode())
            identity = message.id
            key, tensors = await stream.answer(message, binary=is_binary)
            body, json_bytes = write_message({"id": identity}, key, tensors)
        except RequestError as error:
            status, json_bytes = error.status, None
            body = json.dumps(
                {**({"id": identity} if identity else {}), "error": error.text, "status": status}
            ).encode()
        self.service.metrics.request(CHUNK, status, time.monotonic() - begin)
        if not is_binary and json_bytes is None:
            return {"type": "websocket.send", "text": body.decode()}
        size = len(body) if json_bytes is None else json_bytes
        return {"type": "websocket.send", "bytes": size.to_bytes(_PREFIX, "little") + body}


_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, " + HEADER_LENGTH),
)


def _digest(text: bytes) -> bytes:
    """Of one length, whatever the text's: comparing two tells nothing of it."""
    return hashlib.sha256(text).digest()


def _number(text: bytes, name: str) -> int:
    if not text.isdigit() or len(text) > 18:
        raise RequestError(400, f"{name} must be a number of bytes")
    return int(text)


def _json(entries: Mapping[str, Any]) -> _Answer:
    return _Answer(200, json.dumps(entries).encode())


def _refusal(error: RequestError) -> _Answer:
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if error.status in (429, 503):
        headers = (_COME_BACK,)
    if error.status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    return _Answer(error.status, json.dumps({"error": error.text}).encode(), headers=headers)


def _framed(data: bytes) -> Message:
    """A binary message of a stream: 4 bytes that say how long the JSON is, the JSON, binary data."""
    if len(data) < _PREFIX:
        raise RequestError(400, "a binary message begins with 4 bytes, the length of its JSON")
    return read_message(data[_PREFIX:], int.from_bytes(data[:_PREFIX], "little"))


async def _decline(scope: Scope, answer: _Answer, send: Send) -> None:
    """Refuses a WebSocket: with a status of HTTP where the server can, else by closing it."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(answer.body)), *answer.headers]
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
