"""A model in Netron, in the browser: Netron's own page from its package, with our operators explained.

Netron knows ONNX's operators by a file of descriptions, to which ours are added. So it shows names, inputs, outputs and
attributes of each of our nodes, and what each of them is. The page comes from this machine and fetches nothing from any other:
Netron's count of its users is left out, and the browser is told to refuse other addresses.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from converter.errors import RefusedError
from converter.io.onnx_files import external_files, read_without_data
from snn_ops.format import DOMAIN
from snn_ops.ops import OPERATORS, Operator

HOST = "127.0.0.1"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".png": "image/png",
    ".ico": "image/x-icon", ".json": "application/json", ".svg": "image/svg+xml",
}  # fmt: skip
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; frame-src 'none'"
)
_FLOATS = ("float16", "float", "double")
_OPERATORS_OF_NETRON = "onnx-metadata.json"


@dataclass(frozen=True)
class Page:
    """What is shown.

    Attributes:
        name: of the model's file.
        content: its bytes.
        beside: files with the model's external data, by their names.
    """

    name: str
    content: bytes
    beside: Mapping[str, Path] = field(default_factory=dict)


def page_of(path: Path, *, bodies: bool = False) -> Page:
    """An ONNX model as Netron shall show it.

    Args:
        path: the file, of a spiking or of another model.
        bodies: leave the function bodies of our operators in it, which Netron opens in place of their descriptions.

    Raises:
        RefusedError: it cannot be read.
    """
    proto = read_without_data(path)
    beside = {name: path.parent / name for name in external_files(proto)}
    ours = [function for function in proto.functions if function.domain == DOMAIN]
    if bodies or not ours:
        return Page(path.name, path.read_bytes(), beside)
    for function in ours:  # Netron prefers what a function says of itself, which are names alone
        proto.functions.remove(function)
    return Page(path.name, proto.SerializeToString(), beside)


def other_page(path: Path) -> Page:
    """A file of another framework, as it is.

    Raises:
        RefusedError: there is no such file, or it cannot be read.
    """
    path = path / "saved_model.pb" if path.is_dir() else path
    try:
        return Page(path.name, path.read_bytes())
    except FileNotFoundError:
        raise RefusedError("there is no such file", file=path) from None


class Viewer:
    """Serves Netron's page for one model, to this machine alone.

    Args:
        page: the model.
        port: 0 is a free one.

    Raises:
        RefusedError: Netron is not installed, or the port is taken.
    """

    def __init__(self, page: Page, port: int = 0) -> None:
        folder = _netron()
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler(page, folder))
        except (OSError, OverflowError) as error:
            raise RefusedError(
                f"port {port} cannot be used ({error}); choose another --port, 0 is a free one"
            ) from None

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self._server.server_port}/"

    def serve(self) -> None:
        """Answers until `close` is called, or Ctrl-C pressed."""
        self._server.serve_forever()

    def close(self) -> None:
        """Ends `serve`, which runs in another thread, and frees the port."""
        self._server.shutdown()
        self.close_port()

    def close_port(self) -> None:
        """Frees the port of a viewer that does not serve."""
        self._server.server_close()


def described_operators(folder: Path) -> list[dict[str, Any]]:
    """Netron's descriptions of operators, and ours, each in the versions that files may have."""
    known: list[dict[str, Any]] = json.loads((folder / _OPERATORS_OF_NETRON).read_text())
    return [*known, *(_described(version) for operator in OPERATORS.values() for version in operator.versions)]


def _described(operator: Operator) -> dict[str, Any]:
    """An operator in Netron's words."""

    def tensors(given: Any) -> list[dict[str, str]]:
        return [{"name": each.name, "type": each.kind.value, "description": each.description} for each in given]

    equation = "\n".join(["```", *operator.equation.split("; "), "```"])
    twin = f"\n\nAs {operator.twin}." if operator.twin else ""
    return {
        "name": operator.name,
        "module": DOMAIN,
        "version": operator.since_version,
        "category": "Activation" if operator.height is not None else "Transform",
        "description": f"{operator.summary}\n\n{equation}{twin}",
        "inputs": tensors(operator.inputs),
        "outputs": tensors(operator.outputs),
        "attributes": [
            {
                "name": attribute.name,
                "type": "float32" if isinstance(attribute.default, float) else "int64",
                "default": attribute.default,
                "description": attribute.description + (f" ({attribute.range.text})" if attribute.range.text else ""),
            }
            for attribute in operator.attributes
        ],
        "type_constraints": [
            {
                "type_param_str": "T",
                "description": "currents and spikes",
                "allowed_type_strs": [f"tensor({t})" for t in _FLOATS],
            },
            {
                "type_param_str": "S",
                "description": "parameters and states: float32 where T is float16, else T",
                "allowed_type_strs": [f"tensor({t})" for t in _FLOATS[1:]],
            },
        ],
    }


def _netron() -> Path:
    found = importlib.util.find_spec("netron")
    if found is None or not found.submodule_search_locations:
        raise RefusedError("Netron is not installed; pip install 'onnx-snn[view]'")
    return Path(found.submodule_search_locations[0])


def _index(text: str, page: Page) -> str:
    """Netron's page, which opens the model by itself. A version of 0.0.0 counts no users, and without a date never asks for
    a newer one."""
    text = re.sub(r'<meta name="date"[^>]*>\n?', "", text)
    tags = {"type": "Python", "version": "0.0.0", "file": f"/data/{quote(page.name)}", "identifier": page.name}
    lines = "\n".join(f'<meta name="{name}" content="{escape(value)}">' for name, value in tags.items())
    return re.sub(r'<meta name="version"[^>]*>', lambda _: lines, text, count=1)


def _handler(page: Page, folder: Path) -> type[BaseHTTPRequestHandler]:
    """Answers requests for the page, Netron's files, the model and its external data; nothing else is there."""
    generated = {
        "index.html": lambda: _index((folder / "index.html").read_text(), page).encode(),
        _OPERATORS_OF_NETRON: lambda: json.dumps(described_operators(folder)).encode(),
    }

    def content(path: str) -> tuple[str, bytes] | None:
        name = unquote(path).lstrip("/") or "index.html"
        if name.startswith("data/"):
            name = name.removeprefix("data/")
            if name == page.name:
                return "application/octet-stream", page.content
            return ("application/octet-stream", page.beside[name].read_bytes()) if name in page.beside else None
        kind = _TYPES.get(Path(name).suffix)
        if kind is None or "/" in name or not (folder / name).is_file():
            return None
        return kind, generated[name]() if name in generated else (folder / name).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Also HEAD."""
            host = (self.headers.get("Host") or "").rpartition(":")[0]
            found = content(urlsplit(self.path).path) if host in (HOST, "localhost") else None
            kind, body = found or ("text/plain", b"not found\n")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Set-Cookie", "consent=none; SameSite=Strict")  # nothing is counted, so nothing is asked
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    return Handler
