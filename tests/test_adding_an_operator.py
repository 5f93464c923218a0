"""docs/adding-an-operator.md, carried out in a copy of the tree."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding-an-operator.md"
COPIED = ("CMakeLists.txt", "Makefile", "README.md", "pyproject.toml", "setup.py", "SECURITY.md")
FOLDERS = ("benchmarks", "cmake", "converter", "docs", "examples", "kernels", "snn_ops", "tests", "tools")
STEP = re.compile(
    r"^\*\*`(?P<path>[^`]+)`\*\*, (?:a new file|before `(?P<line>[^`]+)`):\n\n```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
STEPS = list(STEP.finditer(PAGE.read_text()))
EXAMPLE = re.compile(r"^```python\n(import snn_ops\n.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_has_five_steps() -> None:
    assert len(STEPS) == len({step["path"] for step in STEPS}) == 5


def carry_out(step: re.Match[str], root: Path) -> None:
    """Writes the step's file, or its text before the line that the page names."""
    path = root / step["path"]
    if step["line"] is None:
        assert not path.exists()
        path.write_text(step["text"])
        return
    lines = path.read_text().splitlines(keepends=True)
    (place,) = [index for index, line in enumerate(lines) if line.startswith(step["line"])]
    path.write_text("".join([*lines[:place], step["text"], *lines[place:]]))


def contents(root: Path) -> dict[str, bytes]:
    """Every file's path and bytes, with what is compiled left out."""
    files = [
        path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file() and not path.is_symlink()
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.suffix not in (".pyc", ".so")}


class Copy:
    """The tree in a folder, and its programs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        leave = shutil.ignore_patterns("__pycache__", "*.so")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=leave)
        for name in COPIED:
            shutil.copy(ROOT / name, root / name)

    def run(self, *command: str | Path) -> str:
        """What it printed.

        Raises:
            AssertionError: with all that it printed, where it failed.
        """
        environment = os.environ | {"PYTHONPATH": str(self.root), "ONNX_SNN_LIBRARY": ""}
        for folder in ROOT.glob("build/*/_ort"):  # ONNX Runtime's headers, fetched before
            environment.setdefault("ONNXRUNTIME_ROOT", str(folder))
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, *arguments: str | Path) -> str:
        return self.run(sys.executable, *arguments)


@pytest.mark.slow
def test_the_steps_make_an_operator(tmp_path) -> None:
    copy = Copy(tmp_path / "tree")
    before = contents(copy.root)
    for step in STEPS:
        carry_out(step, copy.root)
    written = {name for name, text in contents(copy.root).items() if text != before.get(name)}
    assert written == {step["path"] for step in STEPS}

    copy.python("-m", "tools.generate")
    changed = {name for name, text in contents(copy.root).items() if text != before.get(name)} - written
    assert changed == {
        "kernels/generated/signatures.h",
        "kernels/generated/variants.h",
        "kernels/generated/operators.h",
        "snn_ops/functions.py",
        "snn_ops/reference.py",
        "docs/operators.md",
    }
    copy.run("cmake", "-S", ".", "-B", "build", "-DSNN_CUDA=OFF")
    copy.run("cmake", "--build", "build", "--parallel")
    shutil.copy(copy.root / "build" / "libonnx_snn.so", copy.root / "snn_ops")

    (example,) = EXAMPLE.findall(PAGE.read_text())
    root_of_current = math.sqrt(5)
    period = 0.02 * (math.atan(10 / root_of_current) - math.atan(-10 / root_of_current)) / root_of_current
    assert float(copy.python("-c", example)) == math.floor(1 / period) == 41
    assert copy.python("-c", "import snn_ops; print(snn_ops.__file__)").startswith(str(copy.root))

    pytest_of_it = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow")
    tests = re.search(r"(\d+) passed", copy.python(*pytest_of_it, "tests", "-k", "QIF"))
    assert tests
    assert int(tests[1]) > 100
    copy.python(*pytest_of_it, "tests/test_generated.py", "tests/test_docs.py")
    names = "every_operator or all_operators"
    copy.python(*pytest_of_it, "tests/ops/test_agreement.py", "tests/snn_ops/test_functions.py", "-k", names)
    if find_spec("ruff"):
        copy.python("-m", "ruff", "format", "--check", "snn_ops", "tests/ops")
        copy.python("-m", "ruff", "check", "snn_ops", "tests/ops")
