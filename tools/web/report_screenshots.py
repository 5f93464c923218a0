"""Takes the pictures of docs/report.md anew, of the embedded LeNet-5: `python -m tools.web.report_screenshots`."""

from __future__ import annotations

import io
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from converter import convert, load_ann, plot_raster
from converter.demo import demo_samples
from converter.report.html import write_html
from tests.web.conftest import FLAGS, Pages
from tools.web.screenshots import IMAGES, ROOT

COLOURS = 256
PHONE = 390
"""Its width."""


def main() -> None:
    """Converts, opens the reports, and writes the pictures."""
    program = subprocess.run([ROOT / "tools/web/browser.sh"], check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        pages = Pages(playwright.chromium.launch(executable_path=program, args=FLAGS))
        reports = {code: _report(Path(folder), code) for code in ("delta", "rate")}
        page = _open(pages, reports["delta"])
        save(page.screenshot(), "report-top", 800)
        page = _open(pages, reports["rate"])
        save(page.locator("#part-network").screenshot(), "report-network", 1200)
        save(page.locator("#part-spikes").screenshot(), "report-spikes", 1200)
        page = _open(pages, reports["delta"], phone=True)
        save(page.screenshot(full_page=True), "report-phone", 1900)
        pages.check()
        data = demo_samples("test", load_ann(Path(folder) / "rate.onnx").input_specs)
        plot_raster(Path(folder) / "rate.snn.onnx", data, layer="node_relu_1").savefig(
            IMAGES / "plot-raster.png", dpi=100
        )


def _report(folder: Path, code: str) -> Path:
    source = resources.files("converter.demo") / "data" / "lenet5_relu.onnx"
    path = folder / f"{code}.onnx"
    path.write_bytes(source.read_bytes())
    named = folder / "lenet5_relu.onnx"
    named.write_bytes(source.read_bytes())
    options = {"code": code, **({"neuron": "if", "n_steps": 32} if code == "rate" else {})}
    conversion = convert(named, demo_samples("calibration", load_ann(named).input_specs), traces=True, **options)
    conversion.save(folder / f"{code}.snn.onnx")
    write_html(conversion, folder / f"{code}.html")
    return folder / f"{code}.html"


def _open(pages: Pages, path: Path, *, phone: bool = False) -> Page:
    page = pages.open(path, phone=phone)
    page.wait_for_selector("html[data-ready=yes]")
    page.add_style_tag(content="nav { position: static !important }")
    page.wait_for_timeout(300)
    return page


def save(png: bytes, name: str, height: int) -> None:
    """A picture at most this high, as wide as on the screen."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width == 2 * PHONE:
        picture = picture.resize((PHONE, picture.height // 2), Image.Resampling.LANCZOS)
    picture = picture.crop((0, 0, picture.width, min(height, picture.height)))
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
