"""conftest.py: what must not happen in a page is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PAGE = """<!doctype html><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><body>
<script>{script}</script>"""


def save(folder: Path, script: str) -> Path:
    path = folder / "page.html"
    path.write_text(PAGE.format(script=script))
    return path


def test_a_quiet_page_passes(browser, serve, tmp_path) -> None:
    path = save(tmp_path, "fetch('data:,x')")
    for target in (path, serve(tmp_path) + "page.html"):
        page = browser.open(target, phone=True)
        page.wait_for_load_state("networkidle")
        assert page.title() == "A page"
        assert page.evaluate("[innerWidth, navigator.maxTouchPoints > 0]") == [390, True]
    browser.check()


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        ("console.error('wrong')", "errors", "wrong"),
        ("null.missing", "errors", "missing"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://a.example/x.png'}))", "refused", "a.example"),
        ("fetch('http://a.example/y').catch(() => 0)", "refused", "a.example"),
        ("new Worker(URL.createObjectURL(new Blob([`fetch('https://b.example')`])))", "refused", "b.example"),
        ("new WebSocket('ws://c.example/')", "refused", "c.example"),
    ],
)
def test_what_must_not_happen_is_seen(browser, tmp_path, script, kind, text) -> None:
    browser.open(save(tmp_path, script)).wait_for_timeout(300)
    assert any(text in entry for entry in getattr(browser, kind))
    with pytest.raises(AssertionError):
        browser.check()
    browser.errors.clear()
    browser.refused.clear()


def test_a_skip_is_a_failure(tmp_path) -> None:
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = web\n")
    (tmp_path / "test_a.py").write_text("import pytest\ndef test_it(): pytest.skip('no')\n")
    (tmp_path / "test_b.py").write_text("import pytest\npytest.importorskip('missing_module')\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:nengo", "--continue-on-collection-errors", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 1 and "1 failed, 1 error" in run.stdout, run.stdout
