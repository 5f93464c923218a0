"""The report of a conversion in a browser: everything is drawn, answers to clicks, and nothing of a stranger's file runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from converter import convert
from converter.report.html import write_html
from tests.models import samples, save, text_model

READY = "html[data-ready=yes]"
HOSTILE = """</script><script>hit=1</script><img src=x onerror=hit=2><a href="javascript:hit=3">x</a>%{y}<b>&amp;"""
FIXED = {"code": "rate", "neuron": "if-burst", "method": "percentile", "correction": "none", "n_steps": 8}


def network(first: str = "first") -> onnx.ModelProto:
    """Images of 12 x 12, two convolutions with a skip connection, MaxPool, three classes."""
    model = text_model(
        """m (float[N,1,12,12] image) => (float[N,3] scores)
        <float[4,1,3,3] A, float[4,4,3,3] B, float[144,3] C> {
          a = Conv<pads = [1,1,1,1]>(image, A)  [first] b = Relu(a)
          c = Conv<pads = [1,1,1,1]>(b, B)  [second] d = Relu(c)
          e = Add(b, d)  f = MaxPool<kernel_shape = [2,2], strides = [2,2]>(e)
          g = Flatten(f)  scores = MatMul(g, C) }"""
    )
    for node in model.graph.node:
        if node.name == "first":
            node.name = first
    return model


def report(folder: Path, model: onnx.ModelProto, name: str = "m.onnx", **options) -> Path:
    path = save(model, folder / name)
    x = samples(model, 48)
    y = np.arange(len(x)) % 3
    conversion = convert(path, {"x": x, "y": y}, traces=True, **(options or FIXED))
    write_html(conversion, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    return report(tmp_path_factory.mktemp("report"), network())


def cut_off(page) -> list[str]:
    """Texts of charts that stand out of them."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.chart')].flatMap(chart => {
             const box = chart.getBoundingClientRect();
             return [...chart.querySelectorAll('text')].filter(text => {
               const at = text.getBoundingClientRect();
               return at.width && (at.left < box.left - 1 || at.right > box.right + 1);
             }).map(text => `${chart.id}: ${text.textContent}`);
           })"""
    )


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_every_chart_is_drawn_and_nothing_is_cut_off(browser, page_file, phone) -> None:
    page = browser.open(page_file, phone=phone)
    page.wait_for_selector(READY)
    charts = page.locator(".chart").all()
    assert len(charts) >= 10
    for chart in charts:
        assert chart.locator(".main-svg").count() > 0, chart.get_attribute("id")
    width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window
    assert cut_off(page) == []


def test_what_matters_is_on_the_first_screen(browser, page_file) -> None:
    page = browser.open(page_file)
    page.wait_for_selector(READY)
    for tile in page.locator(".tile").all():
        box = tile.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800
    assert "as a spiking network" in page.locator("h1").inner_text()


def test_a_click_shows_a_layer(browser, page_file) -> None:
    page = browser.open(page_file)
    page.wait_for_selector(READY)
    for name in ("second", "first"):
        page.locator("#network .annotation-text", has_text=name).click(force=True)
        page.wait_for_function("name => document.getElementById('layer-name').textContent === name", arg=name)
    page.locator("select.layer").first.select_option(label="second")
    assert page.locator("#layer-name").inner_text() == "second"
    assert page.locator("#thresholds .bars path").count() > 0
    assert page.locator("#density .heatmaplayer image").count() == 1
    before = page.locator("#firing-note").inner_text()
    assert "neurons spike on this sample" in before
    page.locator("#samples button").nth(1).click()
    assert page.locator("#samples button").nth(1).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="spikes", exact=True).click()
    page.wait_for_function("document.getElementById('network').textContent.includes('spikes per neuron and step')")


def test_energy_follows_the_assumptions(browser, page_file) -> None:
    page = browser.open(page_file)
    page.wait_for_selector(READY)
    says = page.locator("#energy-says")
    before = says.inner_text()
    share = float(before.split(" takes ")[1].split(" %")[0].replace(",", ""))
    page.locator("#pj-multiply_add").fill("9.2")
    page.locator("#pj-addition").fill("1.8")
    both = float(says.inner_text().split(" takes ")[1].split(" %")[0].replace(",", ""))
    assert both == pytest.approx(share, rel=0.01)  # twice as much of each is the same share
    page.locator("#pj-addition").fill("0")
    none = float(says.inner_text().split(" takes ")[1].split(" %")[0].replace(",", ""))
    assert none < share
    page.get_by_role("button", name="32-bit floats").click()
    assert says.inner_text() == before


def test_names_of_strangers_do_nothing(browser, tmp_path) -> None:
    page = browser.open(report(tmp_path, network(HOSTILE), "<img src=x onerror=hit=4>.onnx"))
    page.wait_for_selector(READY)
    assert page.evaluate("typeof hit") == "undefined"
    page.locator("select.layer").first.select_option(index=0)
    assert page.locator("#layer-name").inner_text() == HOSTILE
    page.locator("#network .scatterlayer .point").nth(2).hover(force=True)
    assert page.locator("img, #network a, .hoverlayer a").count() == 0
    assert page.evaluate("typeof hit") == "undefined"


@pytest.mark.parametrize(
    "options", [{"n_steps": 4}, {**FIXED, "schedule": "two-phase"}], ids=["delta", "no order in time"]
)
def test_other_codes_are_drawn_too(browser, tmp_path, options) -> None:
    page = browser.open(report(tmp_path, network(), **options), phone=True)
    page.wait_for_selector(READY)
    assert page.locator("#raster .main-svg").count() > 0
    assert cut_off(page) == []


def test_it_prints_without_controls(browser, page_file) -> None:
    page = browser.open(page_file)
    page.wait_for_selector(READY)
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator(".controls").first.is_visible()
