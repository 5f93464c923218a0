"""The report as a page. A browser looks at it in tests/web."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest

from converter.errors import RefusedError
from converter.report import html
from converter.report.html import html_page, write_html

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m"


class Page(HTMLParser):
    """The tags of a page, its texts, and what its scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text, self.scripts = "", []
        self._is_script = False
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        self._is_script = tag == "script"
        if self._is_script:
            self.scripts.append("")

    def handle_endtag(self, tag) -> None:
        self._is_script = False

    def handle_data(self, data) -> None:
        if self._is_script:
            self.scripts[-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def text(conversion) -> str:
    return html_page(conversion)


def test_what_a_reader_looks_for_is_in_the_page(conversion, text) -> None:
    page = Page(text)
    for words in (
        "<m>.onnx as a spiking network",
        "3 layers of spiking neurons",
        "energy, estimated",
        "The network, layer by layer",
        "Spikes and voltages",
        "What stays analog, and why",
        "What to try next",
        "8-bit, dense",
        *(layer.name for layer in conversion.layers),
    ):
        assert words in page.text
    ids = {value for name, value in page.attributes if name == "id"}
    assert {"network", "thresholds", "rates", "density", "layer-errors", "raster", "voltage", "energy"} <= ids
    assert "m" not in page.tags  # the file is called <m>.onnx
    links = {value for name, value in page.attributes if name == "href"}
    assert links
    assert all(link.removeprefix("#") in ids for link in links)


def test_the_page_is_small_and_asks_for_nothing(text) -> None:
    page = Page(text)
    assert len(text) < 4e6
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "srcset", "action") or name.startswith("on")]
    (policy,) = (value for name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy


def test_the_policy_knows_the_scripts_of_the_page(text) -> None:
    data, *scripts = Page(text).scripts
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall(r"'sha256-([^']+)'", text) == digests
    assert json.loads(data)["layers"]


def test_names_of_strangers_are_shown_and_not_obeyed(conversion) -> None:
    layers = [replace(conversion.layers[0], name=HOSTILE), *conversion.layers[1:]]
    traces = replace(
        conversion.traces, layers=(replace(conversion.traces.layers[0], name=HOSTILE), *conversion.traces.layers[1:])
    )
    islands = [replace(conversion.islands[0], nodes=(HOSTILE,), op_types=(HOSTILE,))]
    hostile = replace(conversion, layers=layers, traces=traces, islands=islands, notes=[HOSTILE])
    page = Page(html_page(hostile))
    assert page.tags.count("script") == 3
    assert "img" not in page.tags
    assert "alert(1)" in page.text
    assert "\u202e" not in page.text + "".join(page.scripts[:1])
    assert "\x1b" not in page.text
    assert "<" not in page.scripts[0]
    assert json.loads(page.scripts[0])["layers"][0]["name"].startswith("</script><script>alert(1)")


def test_without_traces_the_page_says_what_is_missing(conversion) -> None:
    page = Page(html_page(replace(conversion, traces=None)))
    assert "was not recorded" in page.text
    assert "Spikes and voltages" not in page.text
    assert json.loads(page.scripts[0])["samples"] == []


def test_plotly_is_the_one_that_the_licence_is_of() -> None:
    data = resources.files("converter.report") / "data"
    script = (data / html.PLOTLY).read_bytes()
    assert b"plotly.js (cartesian - minified) v4.1.1" in script[:100]
    assert b"</script" not in script
    assert "MIT License" in (data / "plotly-LICENSE").read_text()


def test_a_folder_that_is_not_there(conversion, tmp_path) -> None:
    with pytest.raises(RefusedError, match=r"the folder .* does not exist"):
        write_html(conversion, tmp_path / "missing" / "r.html")
