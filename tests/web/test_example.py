"""examples/web in a browser: it gives Python's answers and Python's spikes, and does what its buttons say."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snn_ops

ROOT = Path(__file__).parents[2]
SITE = ROOT / "examples" / "web" / "dist"
STEPS = {"delta": 8, "if": 32, "lif": 32}
RUN = """async ([index, steps]) => {
  const $ = (query) => document.querySelector(query), all = (query) => [...document.querySelectorAll(query)];
  const whole = (text) => Number(text.replaceAll(",", "").split(" ")[0]);
  all("#digits button")[index].click();
  $("#reset").click();
  const counts = [], answers = [];
  for (let step = 1; step <= steps; step++) {
    $("#step").click();
    while ($("#steps").textContent !== String(step)) await new Promise((resolve) => setTimeout(resolve, 1));
    counts.push(all("#layers .count").map((count) => whole(count.textContent)));
    answers.push(Number($("#answer").textContent));
  }
  return { counts, answers, additions: whole($("#additions").textContent), spikes: whole($("#spikes").textContent) };
}"""
"""Shows a digit to a network at rest, step by step, as one would by hand."""


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    assert (SITE / "network.json").exists(), "`make web` builds examples/web/dist"


@pytest.fixture
def page(browser, serve) -> Any:
    """The example, ready, and paused."""
    page = ready(browser.open(serve(SITE)))
    page.get_by_role("button", name="Pause").click()
    return page


def ready(page: Any) -> Any:
    page.locator("#message").wait_for(state="hidden")
    return page


def text(page: Any, selector: str, expected: str | re.Pattern[str]) -> None:
    """Waits until this element has this text."""
    from playwright.sync_api import expect  # noqa: PLC0415 # `make test` collects this file without it

    expect(page.locator(selector)).to_have_text(expected, timeout=20_000)


def has_rows(page: Any, rows: int) -> None:
    """Waits until the raster has so many rows."""
    from playwright.sync_api import expect  # noqa: PLC0415

    expect(page.locator("#layers canvas")).to_have_count(rows, timeout=20_000)


def step(page: Any) -> None:
    """One step, by its button."""
    next_one = int(page.inner_text("#steps")) + 1
    page.get_by_role("button", name="One step").click()
    text(page, "#steps", str(next_one))


def digits() -> tuple[np.ndarray, list[int]]:
    read = json.loads((SITE / "digits.json").read_text())
    images = np.frombuffer(base64.b64decode(read["pixels"]), np.uint8).reshape(-1, 1, 28, 28)
    return images.astype(np.float32) / 255, read["labels"]


def python_says(session: snn_ops.Session, layers: list[str], image: np.ndarray, steps: int) -> tuple[list, list]:
    """Spikes of each layer and the class after each step of a run from rest."""
    stream, counts, classes = session.stream(), [], []
    for _ in range(steps):
        (scores,), recording = stream.run(image, 1, record=layers)
        counts.append([int(np.count_nonzero(recording[name])) for name in layers])
        classes.append(int(scores.argmax()))
    return counts, classes


@pytest.mark.parametrize("name", STEPS)
def test_the_answers_are_pythons(page, name, tmp_path) -> None:
    """20 digits: in every step the same class and the same number of spikes in each layer, and in the end as many additions."""
    page.check(f"input[value={name}]")
    images, labels = digits()
    assert labels == sorted([*range(10), *range(10)])
    path, additions = SITE / "models" / f"{name}.snn.onnx", []
    layers = [layer["name"] for layer in json.loads((SITE / "models" / f"{name}.json").read_text())["layers"]]
    has_rows(page, len(layers))
    page.get_by_role("button", name="From rest").click()
    session = snn_ops.Session(path)  # with the native operators: the page has the functions in the file
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        found = page.evaluate(RUN, [index, STEPS[name]])
        counts, classes = python_says(session, layers, image[None], STEPS[name])
        assert found["counts"] == counts
        assert found["answers"] == classes and classes[-1] == label
        assert found["spikes"] == np.sum(counts)
        additions.append(found["additions"])
    np.savez(tmp_path / "digits.npz", x=images, y=labels)
    command = [sys.executable, "-m", "converter.cli", "evaluate", path, "--data", "digits.npz", "--json", "it.json"]
    subprocess.run([*command, "--steps", str(STEPS[name])], check=True, capture_output=True, cwd=tmp_path)
    work = json.loads((tmp_path / "it.json").read_text())["work"]
    assert np.mean(additions) == pytest.approx(work["synaptic_operations"], rel=1e-6)


def draw(page: Any, points: list[tuple[int, int]]) -> None:
    """A line on the pad, through points of its 280 x 280."""
    box = page.locator("#pad").bounding_box()
    scale = box["width"] / 280
    for i, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + scale * x, box["y"] + scale * y, steps=5)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


ONE = [(150, 60), (140, 220)]
SEVEN = [(85, 70), (195, 70), (130, 225)]


def test_one_draws_and_it_reads(page) -> None:
    for points, answer in ((ONE, "1"), (SEVEN, "7")):
        page.get_by_role("button", name="Clear").click()
        step(page)
        text(page, "#answer", "\N{EN DASH}")
        draw(page, points)
        for _ in range(10):
            step(page)
        assert page.inner_text("#answer") == answer
    assert page.inner_text("#now") == "0"  # the image stands still: nothing is sent
    assert coloured(page)


def coloured(page: Any) -> bool:
    """Whether every layer's raster shows spikes."""
    return page.evaluate("""[...document.querySelectorAll("#layers canvas")].every((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, i) => i % 4 === 3 && value > 0);
    })""")


def test_time_goes_on_by_itself_until_it_is_paused(page) -> None:
    page.get_by_role("button", name="Play").click()
    page.get_by_label("Steps per second").fill("30")
    text(page, "#steps", re.compile("[1-9][0-9]"))
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(200)
    steps = page.inner_text("#steps")
    page.wait_for_timeout(300)
    assert page.inner_text("#steps") == steps
    page.get_by_role("button", name="From rest").click()
    assert page.inner_text("#steps") == "0"


def test_the_keyboard_does(page) -> None:
    page.get_by_role("button", name="From rest").click()
    page.get_by_role("button", name="test image of a 7").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="One step").focus()
    for done in range(1, 4):
        page.keyboard.press("Enter")
        text(page, "#steps", str(done))
    assert page.inner_text("#answer") == "7"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button')].filter((b) => !b.textContent && !b.ariaLabel).length"
    )
    assert unnamed == 0


def test_on_a_phone_one_draws_by_touch(browser, serve) -> None:
    page = ready(browser.open(serve(SITE), phone=True))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("#pad").bounding_box()
    touch = page.context.new_cdp_session(page)
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 4}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [where]})
    for _ in range(8):
        where["y"] += box["height"] / 16
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [where]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    text(page, "#answer", "1")
    assert page.evaluate("scrollY") == 0  # drawing does not scroll the page


def test_a_drawing_is_put_as_the_network_knows_digits(page) -> None:
    """20 pixels high or wide, its mass in the middle, wherever and however large it is drawn."""
    found = page.evaluate("""async () => {
      const { normalised } = await import("./pad.js");
      const drawing = (left, top, width, height) => {
        const data = new Uint8ClampedArray(4 * 280 * 280);
        for (let y = top; y < top + height; y++)
          for (let x = left; x < left + width; x++) data[4 * (280 * y + x) + 3] = 255;
        return [...normalised(data, 280, 280)];
      };
      return [drawing(10, 20, 30, 100), drawing(100, 60, 60, 200), drawing(5, 5, 3, 3), drawing(0, 0, 0, 0)];
    }""")
    small, large, dot, nothing = (np.reshape(image, (28, 28)) for image in found)
    for image in (small, large):
        rows, columns = image.sum(axis=1), image.sum(axis=0)
        middle = np.arange(28) + 0.5
        assert rows @ middle / rows.sum() == pytest.approx(14, abs=0.1)
        assert columns @ middle / columns.sum() == pytest.approx(14, abs=0.1)
        assert (rows > 0).sum() == 20 and (columns > 0).sum() == 6
        assert image.max() == 1
    assert 0 < dot.sum() < 2 and not nothing.any()


def test_a_missing_file_is_named(browser, serve, tmp_path) -> None:
    shutil.copytree(SITE, tmp_path / "site")
    (tmp_path / "site" / "models" / "delta.snn.onnx").unlink()
    page = browser.open(serve(tmp_path / "site"))
    text(page, "#message", "The page cannot go on: models/delta.snn.onnx: 404 File not found")
    assert browser.errors
    browser.errors.clear()


def test_the_code_for_a_page_of_ones_own_runs(browser, serve, tmp_path) -> None:
    (code,) = re.findall(r"```javascript\n(.*?)```", (ROOT / "docs/deploy-browser.md").read_text(), re.DOTALL)
    shutil.copytree(SITE / "ort", tmp_path / "ort")
    for source, name in (
        ("stream.js",) * 2,
        ("models/delta.snn.onnx", "model.snn.onnx"),
        ("models/delta.json", "model.json"),
    ):
        shutil.copyfile(SITE / source, tmp_path / name)
    script = f"const pixels = new Float32Array(784);{code}document.querySelector('p').textContent = logits.dims"
    head = '<!doctype html><title>Mine</title><link rel="icon" href="data:,"><p></p>'
    (tmp_path / "index.html").write_text(f'{head}<script type="module">{script}</script>')
    text(browser.open(serve(tmp_path)), "p", "1,10")


def test_a_reader_who_wants_little_motion_gets_it(browser, serve) -> None:
    page = ready(browser.open(serve(SITE), reduced_motion="reduce"))
    assert page.inner_text("#speed-value") == "1"


def test_the_stream_is_that_of_the_documentation() -> None:
    (code,) = re.findall(r"```javascript\n(.*?)```", (ROOT / "docs/other-languages.md").read_text(), re.DOTALL)
    module = (SITE / "stream.js").read_text().replace("export ", "")
    assert module.split("\n", 1)[1] == code.split("\n", 1)[1]
