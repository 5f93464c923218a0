"""Takes the pictures of examples/web in docs/images anew: `make web && python -m tools.web.screenshots`."""

from __future__ import annotations

import functools
import io
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.web.conftest import FLAGS, Pages

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
THREE = [(90, 70), (140, 55), (185, 80), (190, 120), (140, 140), (190, 165), (195, 215), (140, 235), (85, 215)]
"""A digit on the pad of 280 x 280."""
COLOURS = 64


def main() -> None:
    """Serves the page, uses it, and writes the pictures."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(ROOT / "examples" / "web" / "dist"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    program = subprocess.run([ROOT / "tools/web/browser.sh"], check=True, capture_output=True, text=True).stdout.strip()
    with sync_playwright() as playwright:
        pages = Pages(playwright.chromium.launch(executable_path=program, args=FLAGS))
        for name, height, options in (("web-desktop", 1500, {}), ("web-phone", 1560, {"phone": True})):
            page = pages.open(f"http://127.0.0.1:{server.server_port}/", **options)
            use(page)
            width = page.viewport_size["width"] if page.viewport_size else 0
            save(page.screenshot(full_page=True), IMAGES / f"{name}.png", width, height)
        pages.check()


def use(page: Page) -> None:
    """Two test images, and a digit by hand."""
    page.locator("#message").wait_for(state="hidden")
    page.get_by_label("Steps per second").fill("20")
    for name, seconds in (("test image of a 4", 1.5), ("test image of a 2", 1.5)):
        page.get_by_role("button", name=name).first.click()
        page.wait_for_timeout(1000 * seconds)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(1000)
    page.evaluate("scrollTo(0, 0)")
    box: Any = page.locator("#pad").bounding_box()
    scale = box["width"] / 280
    for i, (x, y) in enumerate(THREE):
        page.mouse.move(box["x"] + scale * x, box["y"] + scale * y, steps=6)
        page.wait_for_timeout(60)
        if i == 0:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Pause").click()


def save(png: bytes, path: Path, width: int, height: int) -> None:
    """A picture of this width, no higher than this, in few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture = picture.resize((width, picture.height * width // picture.width), Image.Resampling.LANCZOS)
    picture = picture.crop((0, 0, width, min(height, picture.height)))
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
