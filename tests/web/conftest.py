"""Tests in a headless Chromium: ``make test-web`` runs them, ``make test`` does not, and a skip among them is a failure.

    def test_my_page(browser, tmp_path):
        page = browser.open(tmp_path / "report.html")  # or a URL on localhost; phone=True for a phone
        page.click("text=Layers")  # a Page of Playwright
        page.screenshot(path=tmp_path / "report.png", full_page=True)

A page that asks for anything but files and localhost is refused it. That, an error on the console and an uncaught exception
make the test fail in the end; ``browser.check()`` fails at once.
"""

from __future__ import annotations

import functools
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

ROOT = Path(__file__).parents[2]
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync""".split()
UNKNOWN_HOSTS = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
LOCAL = ("localhost", "127.0.0.1")
WITHOUT_NETWORK = ("file", "data", "blob", "about")


def is_local(url: str) -> bool:
    """Whether a page may have what is at this address."""
    parts = urlsplit(url)
    return parts.scheme in WITHOUT_NETWORK or parts.hostname in LOCAL


class Pages:
    """Opens pages, and records what must not happen in them."""

    def __init__(self, chromium: Browser) -> None:
        self.errors: list[str] = []
        """What the console had as an error, and exceptions that nobody caught."""
        self.refused: list[str] = []
        """Addresses on a network that a page asked for."""
        self._chromium = chromium
        self._contexts: list[BrowserContext] = []

    def open(
        self, target: str | Path, *, phone: bool = False, size: tuple[int, int] | None = None, **more: Any
    ) -> Page:
        """A page at a file or URL, in a profile of its own: 1280 x 800, or 390 x 844 with touch for a phone.

        Further arguments are those of Playwright's ``Browser.new_context``, such as ``color_scheme="dark"``.
        """
        width, height = size or ((390, 844) if phone else (1280, 800))
        context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            is_mobile=phone,
            has_touch=phone,
            device_scale_factor=2 if phone else 1,
            service_workers="block",
            **more,
        )
        self._contexts.append(context)
        context.set_default_timeout(20_000)
        context.route(lambda url: not is_local(url), self._refuse)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", lambda socket: is_local(socket.url) or self.refused.append(socket.url))
        page.goto(target.resolve().as_uri() if isinstance(target, Path) else target)
        return page

    def check(self) -> None:
        """Raises AssertionError if there was an error, or a request to a network."""
        assert not self.refused, f"asked for {self.refused}"
        assert not self.errors, self.errors

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _refuse(self, route: Route) -> None:
        self.refused.append(route.request.url)
        route.abort()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests, that of tools/web/browser.sh."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 # `make test` collects this file without it
    except ImportError:
        pytest.fail("Playwright is missing: `make test-web` sets it up, or pip install 'onnx-snn[web]'", pytrace=False)
    found = subprocess.run([ROOT / "tools/web/browser.sh"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=found.stdout.strip(), args=[*FLAGS, UNKNOWN_HOSTS])
        yield program
        program.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Pages]:
    """Opens pages; a console error or a request to a network fails the test."""
    pages = Pages(chromium)
    yield pages
    pages.close()
    pages.check()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def serve() -> Iterator[Any]:
    """serve(folder) -> the URL of a static web server for it, as ``python -m http.server`` is one."""
    servers = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.web)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    return (yield from _a_skip_is_a_failure())


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Any:
    return (yield from _a_skip_is_a_failure())


def _a_skip_is_a_failure() -> Any:
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr}"
    return report
