"""`onnx-snn view`: Netron's page with our operators, their inputs and what they are, and nothing asked of a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from converter.conversion.main import convert
from converter.demo import demo_samples
from converter.normalise.ann import load_ann
from converter.report.netron_view import Viewer, page_of
from snn_ops.ops import OPERATORS


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """LeNet-5 as it was trained, and with IF neurons, as in figure 9 of the first paper."""
    folder = tmp_path_factory.mktemp("models")
    trained = folder / "lenet5.onnx"
    trained.write_bytes((resources.files("converter.demo") / "data" / "lenet5_relu.onnx").read_bytes())
    ann = load_ann(trained)
    samples = demo_samples("calibration", ann.input_specs).first(16)
    spiking = folder / "lenet5.snn.onnx"
    convert(ann, samples, neuron="if", method="percentile", correction="none", n_steps=8).save(spiking)
    return {"trained": trained, "spiking": spiking}


@pytest.fixture
def view() -> Iterator[Callable[..., str]]:
    """view(path) -> the URL at which Netron shows it."""
    viewers = []

    def start(path: Path, **options: Any) -> str:
        viewer = Viewer(page_of(path, **options))
        threading.Thread(target=viewer.serve, daemon=True).start()
        viewers.append(viewer)
        return viewer.url

    yield start
    for viewer in viewers:
        viewer.close()


def nodes(page: Any) -> list[str]:
    """The operators, from top to bottom. Netron has no window.eval, so that each text is asked for by itself."""
    found = page.locator(".node-item-type text")
    found.first.wait_for()
    return [found.nth(index).text_content() for index in range(found.count())]


def test_lenet5_before_and_after(browser, view, models) -> None:
    """One node for one node: Relu becomes IF."""
    before = [name for name in nodes(browser.open(view(models["trained"]))) if name != "Flatten"]
    after = [name for name in nodes(browser.open(view(models["spiking"]))) if name != "TimeMean"]
    layers = {"Conv", "Gemm", "AveragePool", "Relu", "IF"}
    assert [name for name in after if name in layers] == [
        "IF" if name == "Relu" else name for name in before if name in layers
    ]
    assert after.count("IF") == 4


def test_an_operator_is_explained(browser, view, models, tmp_path) -> None:
    page = browser.open(view(models["spiking"]))
    nodes(page)
    page.locator(".node-item-type", has_text="IF").first.click()
    sidebar = page.locator("#sidebar")
    for name in ("current", "threshold", "voltage", "max_spikes", "voltage_out"):
        assert sidebar.locator(f"input[value='{name}']").count() == 1, name
    page.locator("[title='Show Definition']").click()
    operator = OPERATORS["IF"].at(1)
    page.get_by_text(operator.summary).wait_for()
    text = page.locator("#sidebar").text_content()
    for tensor in (*operator.inputs, *operator.outputs):
        assert tensor.description in text
    for attribute in operator.attributes:
        assert attribute.description in text


def test_bodies(browser, view, models) -> None:
    """As functions of the file, which Netron opens."""
    page = browser.open(view(models["spiking"], bodies=True))
    assert "IF" in nodes(page)
    page.locator(".node-item-type", has_text="IF").first.click()
    assert page.locator("#sidebar input[value='threshold']").count() == 1
