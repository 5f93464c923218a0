"""The site: built without a warning, no dead link inside, nothing that a browser would fetch elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from tests.docs.blocks import ROOT

pytestmark = pytest.mark.docs
FETCHED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "video": "src"}
"""What a browser fetches by itself."""
NOT_FETCHED = {"canonical", "next", "prev"}
"""Kinds of <link> that lead somewhere and are not fetched."""


class Html(HTMLParser):
    """A page's anchors, links, and what its browser fetches."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.fetched = {""}, set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in FETCHED and FETCHED[tag] in found and found.get("rel") not in NOT_FETCHED:
            self.fetched.add(found[FETCHED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> dict[Path, Html]:
    """The built pages by their path; the first is the folder's."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return {path: Html(path) for path in sorted(folder.rglob("*.html")) if path.name != "404.html"}


def outside(address: str) -> bool:
    return re.match(r"([a-z]+:)?//|mailto:|data:", address) is not None


def test_no_link_is_dead(site) -> None:
    dead = []
    for path, page in site.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if outside(link):
                continue
            target = Path(os.path.normpath(path.parent / unquote(address))) if address else path
            if not target.is_file() or (target in site and unquote(anchor) not in site[target].anchors):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_nothing_is_fetched_from_elsewhere(site) -> None:
    fetched = [(path, address) for path, page in site.items() for address in page.fetched if address[:5] != "data:"]
    assert len(fetched) > len(site)
    assert [address for _, address in fetched if outside(address)] == []
    assert [address for path, address in fetched if not (path.parent / urldefrag(address)[0]).exists()] == []
    styles = {style for path in site for style in path.parent.rglob("*.css")}
    assert styles
    assert not [style for style in styles if re.search(r"url\(\s*[\"']?(https?:)?//", style.read_text())]


def test_what_the_pages_promise_is_there(site) -> None:
    """Formulas and diagrams are drawn, the operators and the API are in, comments for the tests are not."""
    texts = {path.name: path.read_text() for path in site}
    assert texts["how-it-works.html"].count("<math") > 40
    assert "arithmatex" not in texts["how-it-works.html"]
    assert '<div class="diagram"><svg' in texts["architecture.html"]
    assert "mermaid</code>" not in texts["architecture.html"]
    assert 'id="converter.convert"' in texts["converter.html"]
    assert 'id="snn_ops.functions.lif"' in texts["snn_ops.html"]
    assert not [name for name, text in texts.items() if "<!-- docs:" in text]


def test_every_page_is_in_the_navigation() -> None:
    """MkDocs warns of it too; here it has names."""
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    named = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert pages - named == set()
