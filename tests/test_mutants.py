"""Faults that `make mutants` puts into the code: one each, by seed, and the tests that are to see them."""

from __future__ import annotations

import ast
import sys

import pytest

from tools.mutants import sites
from tools.mutants.__main__ import draw, likely_tests
from tools.mutants.sites import ROOT, mutants

CODE = '''"""1 < 2."""
@cache(size=3)
def f(x: int = 4, *, y: "5 > 6" = 7.5) -> bool:
    if not x and (y + 1) >= 2 and x in (True,):
        raise ValueError(f"{x + 1} < 3")
    return x is None or x // 2 == y
'''


@pytest.fixture
def found(tmp_path, monkeypatch):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    monkeypatch.setattr(sites, "ROOT", tmp_path)
    return mutants(path)


def test_one_fault_each_in_what_runs_and_in_no_text(found) -> None:
    assert sorted((mutant.old, mutant.new, mutant.line) for mutant in found) == sorted(
        [
            ("4", "8", 3),
            ("7.5", "15.0", 3),
            ("not x", "bool(x)", 4),
            ("and", "or", 4),
            ("+", "-", 4),
            ("1", "0", 4),
            (">=", ">", 4),
            ("2", "4", 4),
            ("in", "not in", 4),
            ("True", "False", 4),
            ("is", "is not", 6),
            ("or", "and", 6),
            ("//", "*", 6),
            ("2", "4", 6),
            ("==", "!=", 6),
        ]
    )
    for mutant in found:
        assert ast.dump(ast.parse(mutant.apply(CODE))) != ast.dump(ast.parse(CODE))


def test_a_header_s_comments_and_templates_stay() -> None:
    found = mutants(ROOT / "kernels" / "neurons.h")
    assert {mutant.old for mutant in found} >= {"<", ">", "+", "-", "*", "/", "&&"}
    for mutant in found:
        assert mutant.context.split("//")[0].strip()
        assert not mutant.context.strip().startswith(("template", "#"))


def test_drawn_by_seed(monkeypatch) -> None:
    """A file first, so that long ones do not have it all."""
    some = sorted((ROOT / "converter" / "io").glob("*.py"))
    monkeypatch.setattr(sys.modules[draw.__module__], "files", lambda: some)
    first, second = draw(5), draw(5)
    assert first == second != draw(6)
    with_faults = {str(mutant.path) for mutant in first}
    assert {str(mutant.path) for mutant in first[: len(with_faults)]} == with_faults


def test_the_test_of_the_same_name_comes_first() -> None:
    assert likely_tests("converter/io/samples.py")[0] == "tests/io/test_samples.py"
    assert "tests/ops/test_agreement.py" in likely_tests("snn_ops/ops/if_.py")
    assert likely_tests("kernels/neurons.h") == ["tests/ops/test_agreement.py"]
