"""Each text that refuses a model has a model that is refused so, and says the truth about it."""

from __future__ import annotations

import re

import pytest

from converter.errors import RefusedError
from tests.refusals import conversion, files, nengo, samples
from tests.refusals.case import Case
from tests.refusals.collect import reached, refusals

KNOWN = refusals()
CASES: dict[tuple[str, str], Case] = {
    (module, key): case
    for table in (samples.CASES, files.CASES, conversion.CASES, nengo.CASES)
    for module, cases in table.items()
    for key, case in cases.items()
}


WITHOUT_A_MODEL = {
    (
        "nengo/handlers/movement.py",
        "alias: it makes {} of {}",
    ): "guards a table: what only gives its input another shape",
    ("nengo/handlers/movement.py", "_run: an unknown mode"): "for modes that later opsets of Pad may have",
    (
        "normalise/raise_opset.py",
        "raise_opset: its opset {} cannot be raised to {} ({}); export the model with opset {} or later",
    ): "the library raises every valid model that was found; what it says of others, ONNX Runtime says before",
}
"""And why."""


def test_every_refusal_has_a_model() -> None:
    """Whoever adds a text adds a model for it, and whoever takes one away takes its model away."""
    known = {(refusal.module, refusal.key) for refusal in KNOWN}
    assert known - CASES.keys() - WITHOUT_A_MODEL.keys() == set()
    assert CASES.keys() - known == WITHOUT_A_MODEL.keys() - known == CASES.keys() & WITHOUT_A_MODEL.keys() == set()


def test_what_has_no_model_is_found(tmp_path) -> None:
    (tmp_path / "room.py").write_text(
        """def check(a):
            if a:
                raise RefusedError(f"no {a} " "here", node=a)
            try:
                raise ValueError("for programmers")
            except ValueError as error:
                raise a.refusal(error) from error"""
    )
    found = [(refusal.module, refusal.key, refusal.lines) for refusal in refusals(tmp_path, ("room.py",))]
    assert found == [("room.py", "check: no {} here", range(3, 4)), ("room.py", "check: {}", range(7, 8))]


@pytest.mark.parametrize(("module", "key"), CASES, ids=[f"{module}: {key}"[:90] for module, key in CASES])
def test_a_refusal_says_the_truth(module, key, tmp_path) -> None:
    case = CASES[module, key]
    with pytest.raises(RefusedError) as refused:
        case.refuse(tmp_path)
    line = str(refused.value)
    assert (module, key) in {(place.module, place.key) for place in reached(refused.value, KNOWN)}, line
    assert re.fullmatch(case.line.replace("{folder}", re.escape(str(tmp_path))), line), line
    assert case.holds is None or case.holds()
