"""One process that serves: uvicorn, with bounds on what it takes before the application is asked."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from converter.errors import RefusedError
from converter.serving.http import ENDING, Application

HEADER_BYTES = 64 << 10
"""Of a request, before its body."""
HEADER_SECONDS = 10.0
"""For a request's headers, from its first byte or from the connection on."""
KEEP_ALIVE = 30
"""Seconds that a connection stays open between two requests."""
UNREAD_SECONDS = 30.0
"""After which a connection ends whose client does not read what it is sent."""
SPARE_CONNECTIONS = 64
"""Beyond those that may be open: they are told so; more are closed."""
FRAGMENTS = 4096
"""Of a message of a WebSocket."""
_SWITCH_SECONDS = 0.0005
"""After which a thread of Python makes room for another: one that comes back from ONNX Runtime shall not wait for ten
requests."""


@dataclass(frozen=True)
class Listening:
    """Where and how a process serves.

    Attributes:
        host, port: 0 is any free port.
        connections: that may be open; more are refused.
        grace: seconds for requests in flight when the process is told to end.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    connections: int = 1024
    grace: float = 30.0


class _Unread:
    """Ends a connection whose client does not read: what it is sent would fill the memory."""

    loop: asyncio.AbstractEventLoop
    transport: Any
    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc]
        if self._unread is None:
            self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._forget()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)  # type: ignore[misc]

    def _forget(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class _BoundedHttp(_Unread, HttpToolsProtocol):
    """HTTP, with bounds on the size and the time of headers."""

    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency + SPARE_CONNECTIONS:
            transport.abort()
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._start_timer()
            self._header_bytes += len(data)
        super().data_received(data)
        if not self._in_headers:
            self._header_bytes = 0
        elif self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._complete = False

    def on_headers_complete(self) -> None:
        self._complete = True
        self._stop_timer()
        super().on_headers_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a while. What the client does not read either is thrown away."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    _complete = False

    @property
    def _in_headers(self) -> bool:
        """Whether the next bytes belong to headers: no request has begun, or its headers are not complete."""
        return not self._complete or self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()


class _BoundedWebSocket(_Unread, WebSocketsSansIOProtocol):
    """WebSocket, with a bound on the fragments of a message. When the process ends, the chunk in flight is answered first."""

    def handle_cont(self, event: Any) -> None:
        if len(self.frames) >= FRAGMENTS:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": ENDING})
        else:
            super().shutdown()


class LocalServer:
    """A process that serves. It listens from the beginning, and answers once it runs.

    Args:
        application: what answers.
        listening: where.

    Attributes:
        url: the address.

    Raises:
        RefusedError: the address cannot be used.
    """

    def __init__(self, application: Application, listening: Listening) -> None:
        self._service = application.service
        config = uvicorn.Config(
            application,
            http=_BoundedHttp,
            ws=_BoundedWebSocket,
            ws_max_size=self._service.limits.body,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=listening.connections,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(listening.grace)),
        )
        self._socket = _bind(listening)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serves until `stop`, SIGTERM or SIGINT, then answers what is in flight."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what clients do wrong is counted, not logged
        sys.setswitchinterval(_SWITCH_SECONDS)
        numbers = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
        before = [(number, signal.signal(number, _no_signal)) for number in numbers]
        try:
            self._server.run(sockets=[self._socket])
        finally:
            for number, handler in before:
                signal.signal(number, handler)
            self._socket.close()
            self._service.stop()

    def stop(self) -> None:
        """Lets `run` end."""
        self._server.should_exit = True


def _no_signal(number: int, frame: Any) -> None:
    """What uvicorn sends on once it has ended: the process ends by itself."""


def _bind(listening: Listening) -> socket.socket:
    place = f"{listening.host}:{listening.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listening.host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise RefusedError(f"cannot listen at {place}: {error}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(2048)
        bound.setblocking(False)
    except (OSError, OverflowError) as error:
        bound.close()
        raise RefusedError(f"cannot listen at {place}: {error}") from error
    return bound
