"""The tests mirror the packages: a test file for each module, a module for each test file, a reason for each exception."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTED_ELSEWHERE = {
    "snn_ops/__init__.py": "tests/snn_ops/test_imports.py",
    "snn_ops/ops": "tests/ops",  # the operators share their tests: each runs through all operators
    "converter/__init__.py": "tests/test_public_names.py",
    "converter/io/claims.py": "tests/test_security.py",
    "converter/nengo/handlers": "tests/nengo/test_handlers.py",  # one small network for every handler
    "converter/normalise/frameworks": "tests/normalise/frameworks/test_frameworks.py",  # exporters: a process of their own
}
"""Modules and folders whose tests lie in one place under another name."""
NOT_TESTED = {
    "converter/io/progress.py": "a type, and a function that does nothing",
}
WITHOUT_A_MODULE = {
    "tests/benchmarks": "benchmarks/ is no part of the packages",
    "tests/commands/test_bad_input.py": "each bad input goes through all commands",
    "tests/commands/test_bad_input_nengo.py": "the same for the commands that need Nengo",
    "tests/commands/test_format.py": "damaged and newer files go through all commands",
    "tests/commands/test_zoo.py": "real models, from the command to the result",
    "tests/conversion/test_gpu.py": "where the nodes of converted models run",
    "tests/conversion/test_graphs.py": "graphs as exporters write them go through the whole conversion",
    "tests/examples": "examples/ is no package",
    "tests/docs": "the pages in docs/, their code blocks, the notebooks and the site",
    "tests/fuzz": "hostile input goes through all commands and operators",
    "tests/gpu": "the kit for machines with a GPU, tools/gpu",
    "tests/refusals": "every text that refuses a model, wherever it stands",
    "tests/snn_ops/test_cupy_kernels.py": "snn_ops/cupy_ops.py without a GPU, beside test_cupy_ops.py on one",
    "tests/snn_ops/test_delta_stream.py": "snn_ops/stream.py with the delta code, beside test_stream.py",
    "tests/snn_ops/test_releases.py": "files of earlier releases in today's sessions",
    "tests/web": "pages in a browser",
    "tests/test_adding_an_operator.py": "docs/adding-an-operator.md",
    "tests/test_architecture.py": "docs/architecture.md and the imports of all modules",
    "tests/test_docs.py": "the pages in docs/",
    "tests/test_generated.py": "what tools/ writes",
    "tests/test_gpu_check.py": "tools/gpu_check.sh and what it runs",
    "tests/test_mirror.py": "this file",
    "tests/test_mutants.py": "tools/mutants",
    "tests/test_stops.py": "killed, interrupted and full: in processes of their own",
}
"""Test files and folders that belong to no single module, and what they test."""


def defines(path: Path, kinds: type | tuple[type, ...], prefix: str = "") -> bool:
    """Whether a file defines something at its top."""
    return any(isinstance(s, kinds) and s.name.startswith(prefix) for s in ast.parse(path.read_text()).body)


def modules(root: Path) -> list[str]:
    """Those that define functions or classes."""
    paths = [path for package in ("snn_ops", "converter") for path in sorted((root / package).rglob("*.py"))]
    return [path.relative_to(root).as_posix() for path in paths if defines(path, (ast.FunctionDef, ast.ClassDef))]


def files_with_tests(root: Path) -> set[str]:
    paths = (root / "tests").rglob("test_*.py")
    return {path.relative_to(root).as_posix() for path in paths if defines(path, ast.FunctionDef, "test_")}


def mirror_of(module: str) -> str:
    """converter/io/files.py -> tests/io/test_files.py, snn_ops/feed.py -> tests/snn_ops/test_feed.py.

    A folder's ``__init__.py`` goes by the folder's name.
    """
    path = Path(module)
    folder = path.parent if path.parts[0] == "snn_ops" else path.parent.relative_to("converter")
    name = path.parent.name if path.stem == "__init__" else path.stem
    return (Path("tests") / folder / f"test_{name}.py").as_posix()


def around(name: str, listed: Collection[str]) -> str | None:
    """The entry of a list that is this file, or a folder around it."""
    return next((entry for entry in listed if name == entry or name.startswith(f"{entry}/")), None)


def unmirrored(
    root: Path, elsewhere: dict[str, str], not_tested: Collection[str], without_module: Collection[str]
) -> list[str]:
    """Modules without a test file, test files without a module, and exceptions that are none."""
    files, found = files_with_tests(root), []
    expected, used = set(elsewhere.values()), set()
    for module in modules(root):
        exception = around(module, [*elsewhere, *not_tested])
        used.add(exception)
        if exception is None:
            expected.add(mirror_of(module))
            if mirror_of(module) not in files:
                found.append(f"{module} has no {mirror_of(module)}")
    for file in sorted(files):
        if around(file, expected) is None:
            exception = around(file, without_module)
            used.add(exception)
            if exception is None:
                found.append(f"{file} has no module")
    missing = [f"{entry} is missing" for entry in elsewhere.values() if all(around(f, [entry]) is None for f in files)]
    idle = {*elsewhere, *not_tested, *without_module} - used
    return [*found, *missing, *(f"{entry} is no exception" for entry in sorted(idle))]


def test_the_tests_mirror_the_packages() -> None:
    assert unmirrored(ROOT, TESTED_ELSEWHERE, NOT_TESTED, WITHOUT_A_MODULE) == []


def test_what_is_missing_is_found(tmp_path) -> None:
    a_test = "def test_it(): ..."
    files = {
        "snn_ops/feed.py": "def feed(): ...",
        "snn_ops/names.py": "NAMES = 1",
        "snn_ops/ops/lif.py": "def lif(): ...",
        "converter/io/__init__.py": '"""Files."""',
        "converter/io/files.py": "class File: ...",
        "converter/io/lost.py": "class Lost: ...",
        "converter/io/empty.py": "class Empty: ...",
        "converter/demo/__init__.py": "def demo(): ...",
        "tests/snn_ops/test_feed.py": a_test,
        "tests/io/test_files.py": a_test,
        "tests/io/test_feed.py": a_test,
        "tests/io/test_empty.py": "import pytest",
        "tests/demo/test_demo.py": a_test,
        "tests/ops/test_agreement.py": a_test,
        "tests/examples/test_cpp.py": a_test,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    expected = [
        "converter/io/empty.py has no tests/io/test_empty.py",
        "converter/io/lost.py has no tests/io/test_lost.py",
        "tests/io/test_feed.py has no module",
    ]
    assert unmirrored(tmp_path, {"snn_ops/ops": "tests/ops"}, [], ["tests/examples"]) == expected
    assert unmirrored(
        tmp_path,
        {"snn_ops/ops": "tests/ops", "snn_ops/names.py": "tests/test_names.py"},
        ["converter/io"],
        ["tests/examples", "tests/io", "tests/demo"],
    ) == ["tests/test_names.py is missing", "snn_ops/names.py is no exception", "tests/demo is no exception"]
