"""The code blocks of the documentation's pages, and a program that runs those of one page.

    python -m tests.docs.blocks PAGE     in an empty folder

Blocks of a page run in their order and share the current folder; those in Python share their names, as in a notebook. What a
reader need not see stands in comments before a block, on lines of their own:

    <!-- docs: start lenet -->          at the top of a page: what lies in the folder (tests/docs/start.py)
    <!-- docs: elsewhere, TEST -->      at the top of a page: which test runs its blocks
    <!-- docs: skip, needs a GPU -->    not run, and why
    <!-- docs: exit 1 -->               the exit code of the commands; 0 otherwise
    <!-- docs: output -->               before a block of text: what the block before it prints; ... stands for anything
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("python", "sh")
SHOWN = {
    "",
    "cpp",
    "csharp",
    "css",
    "dockerfile",
    "ini",
    "nginx",
    "xml",
    "yaml",
    "java",
    "javascript",
    "json",
    "mermaid",
    "onnx",
    "text",
    "toml",
    "html",
    "cmake",
}
"""Languages of blocks that are not run here."""
COMMENT = re.compile(r"<!-- docs: (?P<what>\w+)(?:,? (?P<rest>.*?))? -->")
PAGE_COMMENTS = {"start", "elsewhere"}
PROGRAMS = ("onnx-snn", "python")
"""What a block of commands may call without saying that it is skipped."""


class BlockError(Exception):
    """A block is not as the documentation says: where, and what was found."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, first line in the page, and the comments before it by their first word."""

    language: str
    text: str
    line: int
    comments: dict[str, str]


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page."""
    found: list[Block] = []
    comments: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        comment, fence = COMMENT.fullmatch(line.strip()), re.match(r"(\s*)(```+)(\w*)", line)
        if comment:
            comments[comment["what"]] = comment["rest"] or ""
        elif fence:
            indent, ticks, language = fence.groups()
            body = list(_until(lines, indent + ticks))
            found.append(
                Block(language, "".join(row.removeprefix(indent) + "\n" for row in body), number + 1, comments)
            )
            comments = {}
        elif line.strip() and set(comments) - PAGE_COMMENTS:
            raise BlockError(f"line {number}: a comment for a block without a block")
    return found


def _until(lines: Iterator[tuple[int, str]], end: str) -> Iterator[str]:
    for _, line in lines:
        if line.rstrip() == end:
            return
        yield line


def is_run_here(text: str) -> bool:
    """Whether a page has blocks to run that no other test runs."""
    elsewhere = re.search(r"^<!-- docs: elsewhere, \S+ -->$", text, re.MULTILINE)
    return not elsewhere and any(block.language in RUN and "skip" not in block.comments for block in blocks(text))


def start_of(text: str) -> str | None:
    """The name of what a page starts from."""
    found = re.search(r"^<!-- docs: start (\w+) -->$", text, re.MULTILINE)
    return found[1] if found else None


def matches(expected: str, printed: str) -> bool:
    """Whether a text is what was printed: lines in their order, any spaces alike, ``...`` for anything."""
    parts = [re.escape(" ".join(part.split())).replace(r"\ ", r"\s+") for part in expected.strip().split("...")]
    return re.search(r"[\s\S]*".join(rf"\s*{part}\s*" for part in parts), printed) is not None


def run_page(page: Path) -> None:
    """Runs a page's blocks in the current folder, after what the page starts from was put there.

    Raises:
        BlockError: one fails, exits otherwise, or prints something else than the page says.
    """
    text = page.read_text()
    start = start_of(text)
    if start:
        getattr(importlib.import_module("tests.docs.start"), start)(Path.cwd())
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(text):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if "skip" in block.comments:
            printed = ""
        elif block.language == "python":
            printed = _run_python(block, page, names, where)
        elif block.language == "sh":
            printed = _run_commands(block, where)
        elif "output" in block.comments and not matches(block.text, printed):
            raise BlockError(f"{where}: the block before prints\n{printed}")


def _run_python(block: Block, page: Path, names: dict[str, Any], where: str) -> str:
    out = io.StringIO()
    code = "\n" * (block.line - 1) + block.text
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(page), "exec"), names)
    except Exception as error:
        raise BlockError(f"{where}: {traceback.format_exc()}") from error
    return out.getvalue()


def _run_commands(block: Block, where: str) -> str:
    lines = commands(block.text)
    for line in lines:
        if line.split()[0] not in PROGRAMS:
            raise BlockError(f"{where}: {line!r} is no command of the project; say why it is not run")
    done = [_run_command(line) for line in lines]
    expected = int(block.comments.get("exit", 0))
    printed = "".join(out for _, out in done)
    if any(code != expected for code, _ in done):
        raise BlockError(f"{where}: exit codes {[code for code, _ in done]}\n{printed}")
    return printed


def _run_command(line: str) -> tuple[int, str]:
    """The exit code and all that is printed. onnx-snn runs in this process, which has imported what it needs."""
    program, *arguments = shlex.split(line)
    if program != "onnx-snn" or set(line) & set("|<>$;&"):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    main = importlib.import_module("converter.cli").main
    out, before = io.StringIO(), sys.argv
    sys.argv = [program, *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return code, out.getvalue()
    finally:
        sys.argv = before
    return 0, out.getvalue()


def commands(text: str) -> list[str]:
    """The commands of a block, without comments; one that goes on over several lines is one."""
    joined = text.replace("\\\n", " ")
    return [line for line in (row.partition(" #")[0].strip() for row in joined.splitlines()) if line and line[0] != "#"]


if __name__ == "__main__":
    try:
        run_page(Path(sys.argv[1]))
    except BlockError as failure:
        sys.exit(str(failure))
