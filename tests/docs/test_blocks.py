"""Every code block of the README and of the pages in docs/ runs, and prints what the page says: `make test-docs`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import (
    PAGES,
    ROOT,
    RUN,
    SHOWN,
    BlockError,
    blocks,
    commands,
    is_run_here,
    matches,
    run_page,
    start_of,
)

TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
RUNNABLE = [name for name, text in TEXTS.items() if is_run_here(text)]
LIMIT = 900
"""Seconds for a page."""


@pytest.mark.docs
@pytest.mark.parametrize("name", RUNNABLE)
def test_the_blocks_of_a_page_run(name, tmp_path) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": "80",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.blocks", ROOT / name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("name", TEXTS)
def test_no_block_is_left_out_in_silence(name) -> None:
    """Blocks are fenced and have a known language; what is not run says why; indented text is no command of ours."""
    found = blocks(TEXTS[name])
    assert {block.language for block in found} <= {*RUN, *SHOWN}
    assert all(block.comments["skip"] for block in found if "skip" in block.comments)
    assert re.findall(r"^    onnx-snn .*", TEXTS[name], re.MULTILINE) == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "examples/web/README.md"])
def test_links_of_pages_beside_the_docs_lead_somewhere(name) -> None:
    """Those in docs/ are checked on the site."""
    page = ROOT / name
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


PAGE = """\
<!-- docs: start lenet -->
Text.

```python
a = 1
```

<!-- docs: skip, needs a GPU -->
```sh
nvidia-smi
```

    ```text
    2
    ```
"""


def test_blocks_of_a_page() -> None:
    first, second, third = blocks(PAGE)
    assert (first.language, first.text, first.line) == ("python", "a = 1\n", 5)
    assert (second.language, second.comments) == ("sh", {"skip": "needs a GPU"})
    assert (third.language, third.text) == ("text", "2\n")
    assert start_of(PAGE) == "lenet"
    assert is_run_here(PAGE)
    assert not is_run_here(f"<!-- docs: elsewhere, tests/test_it.py -->\n{PAGE}")
    with pytest.raises(BlockError, match="without a block"):
        blocks("<!-- docs: exit 1 -->\nno block\n")


def test_commands_of_a_block() -> None:
    text = "onnx-snn convert m.onnx \\\n    --calibration c.npz  # a comment\n\n# another\npython -m this\n"
    assert [line.split() for line in commands(text)] == [
        ["onnx-snn", "convert", "m.onnx", "--calibration", "c.npz"],
        ["python", "-m", "this"],
    ]


def test_output_matches() -> None:
    assert matches("class 7\n... ms", "an image\nclass  7\ntook 3 ms\n")
    assert not matches("class 7", "class 8")
    assert not matches("a...b", "b a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n1 / 0\n```\n", r"p.md:2: .*ZeroDivisionError"),
        ("```sh\nrm -rf x\n```\n", "is no command of the project"),
        ("```sh\npython -c 'exit(3)'\n```\n", r"exit codes \[3\]"),
        ("```python\nprint(1)\n```\n<!-- docs: output -->\n```text\n2\n```\n", "p.md:6: the block before prints"),
    ],
)
def test_a_block_that_is_not_as_it_says_fails(text, message, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tests.docs.blocks.ROOT", tmp_path)
    (tmp_path / "p.md").write_text(text)
    with pytest.raises(BlockError, match=re.compile(message, re.DOTALL)):
        run_page(tmp_path / "p.md")
