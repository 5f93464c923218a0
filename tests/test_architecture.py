"""Imports point down, docs/architecture.md is true (test_generated.py holds its picture), programs import what exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
from pathlib import Path

import pytest

from converter.conversion.main import convert
from tests.models import convnet, mlp, samples, save
from tools import architecture

ROOT = Path(__file__).parents[1]
ROOMS = architecture.imports()


def test_import_contracts() -> None:
    """Those in pyproject.toml, as `make lint` checks them."""
    cli = pytest.importorskip("importlinter.cli")
    folder = Path.cwd()
    os.chdir(ROOT)
    try:
        assert cli.lint_imports(no_cache=True, no_logo=True) == 0
    finally:
        os.chdir(folder)


def test_the_imports_of_the_page_are_those_of_the_linter() -> None:
    """Two ways to read them."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph("converter", "snn_ops", exclude_type_checking_imports=True, cache_dir=None)
    found: architecture.Imports = {room: set() for room in ROOMS}
    for importer in graph.modules:
        room = room_of(importer)
        if room:
            others = {room_of(name) for name in graph.find_modules_directly_imported_by(importer)}
            found[room] |= {other for other in others if other} - {room}
    assert found == ROOMS


def room_of(module: str) -> str | None:
    names = module.split(".")
    return "snn_ops" if names[0] == "snn_ops" else names[1] if len(names) > 1 else None


def test_imports_that_others_imply_are_left_out() -> None:
    rooms = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert architecture.reduced(rooms) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert architecture.floors(rooms) == {"a": 3, "b": 2, "c": 1, "d": 1}


def test_every_name_on_the_page_exists() -> None:
    page = architecture.PAGE.read_text()
    names = re.findall(r"`(converter\.[\w.]+)`", page)
    assert len(names) >= len(architecture.steps(page)) >= 6
    for name in names:
        assert resolve(name) is not None


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/nengo.md", "docs/format.md"]
)
def test_every_file_on_a_page_exists(page) -> None:
    folders = "converter|snn_ops|kernels|tests|tools|benchmarks|examples|docs"
    files = re.findall(rf"(?:`|\]\()((?:{folders})/[\w/.-]*)[`)]", (ROOT / page).read_text())
    missing = [file for file in files if "NAME" not in file and not (ROOT / file).exists()]
    assert not missing


def resolve(name: str) -> object:
    """What a dotted name means: a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")


def test_the_main_job_takes_the_steps_of_the_page_in_their_order() -> None:
    names = [step.split("`")[1] for step in architecture.steps(architecture.PAGE.read_text())]
    steps = [name.split(".")[-1] for name in names if name.startswith("converter.conversion.") and "result" not in name]
    assert steps == ["prepare", "search", "take", "build", "describe"]
    text = inspect.getsource(importlib.import_module("converter.conversion.main").convert)
    places = [text.index(f" {step}(") for step in steps]
    assert places == sorted(places)


PACKAGES = sorted(path for folder in ("converter", "snn_ops") for path in (ROOT / folder).rglob("*.py"))


def private_imports(path: Path) -> list[str]:
    """What a file imports of names with ``_`` that belong to another file or folder."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("converter", "snn_ops"):
            for alias in node.names:
                names = [*str(node.module).split("."), alias.name]
                private = [index for index, name in enumerate(names) if name.startswith("_")]
                if private and not f"{module}.".startswith(".".join(names[: private[0]]) + "."):
                    found.append(".".join(names))
    return found


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_stay_in_their_folder(path) -> None:
    assert private_imports(path) == []


def test_a_private_name_of_another_folder_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "snn_ops" / "ops" / "lif.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from snn_ops.ops import _body\nfrom snn_ops.ops._body import one\nfrom snn_ops.files import _whole\n"
    )
    assert private_imports(file) == ["snn_ops.files._whole"]


FOREIGN = sorted(path for folder in ("benchmarks", "examples", "tools") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_import_what_exists(path) -> None:
    """Type checkers do not read them, and most need packages that are not installed here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("converter", "snn_ops"):
            try:
                module = importlib.import_module(str(node.module))
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] in ("converter", "snn_ops"):
                    raise
                continue
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def test_the_passes_are_those_of_a_conversion(tmp_path) -> None:
    """The page's list against what a conversion reports, for a free and for a fixed batch."""
    quoted = [
        line.removeprefix(">")
        for line in (ROOT / "docs" / "architecture.md").read_text().splitlines()
        if line.startswith(">")
    ]
    names = [re.sub(r"\*\*\w+\*\*", "", name).strip() for name in re.split("[,;]", " ".join(quoted))]
    for model, freed in ((mlp(), "gather by sample"), (convnet(), "free batch")):
        reports = convert(save(model, tmp_path / "m.onnx"), samples(model), streaming=True, neuron="if").reports
        expected = [freed if " or " in name else name for name in names]
        assert [report.name for report in reports] == [" ".join(name.split()) for name in expected]
