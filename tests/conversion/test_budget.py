"""What a budget takes from points, told by hand."""

from __future__ import annotations

import math

import pytest

from converter.conversion.budget import Budget, choose
from converter.conversion.result import Point
from converter.errors import RefusedError
from converter.options import Options


def point(
    n_steps: int, agreement: float | None, energy: float, *, error: float = 0.01, exponent: int | None = None
) -> Point:
    schedule = "stepped" if exponent is None else "two-phase"
    return Point(
        "delta", schedule, "MultiThreshold", n_steps, exponent, None, None, agreement, error, 1.0, energy, n_steps
    )


def budget(*, may_be_classes: bool = True, are_classes: bool = True, **options: float | str) -> Budget:
    return Budget.of(Options(**options), are_classes=are_classes, may_be_classes=may_be_classes)


STEPPED = [point(1, 0.95, 0.05), point(2, 0.991, 0.08), point(3, 0.995, 0.11), point(4, 1.0, 0.14)]
TWO_PHASE = [point(4, 0.98, 0.04, exponent=4), point(4, 0.99, 0.06, exponent=5), point(4, 0.995, 0.07, exponent=6)]


@pytest.mark.parametrize(
    ("options", "preferred", "taken", "is_good", "is_safer"),
    [
        ({}, "stepped", 2, True, True),  # T = 2 would do, one more for safety
        ({}, None, 6, True, True),  # J = 6 is cheaper than T = 3
        ({"min_agreement": 99.5}, "stepped", 3, True, True),
        ({"min_agreement": 100}, None, 3, True, False),  # there is no T beyond it
        ({"max_energy": 9}, "stepped", 1, True, False),  # no room for one more
        ({"max_energy": 5}, "stepped", 0, False, False),  # nothing good in it: the most accurate
        ({"max_energy": 5}, None, 4, False, False),
        ({"min_agreement": 98, "max_energy": 6}, None, 5, True, True),
    ],
)
def test_choices(options, preferred, taken, is_good, is_safer) -> None:
    choice = choose([*STEPPED, *TWO_PHASE], budget(**options), preferred)
    assert (choice.index, choice.is_good, choice.is_safer) == (taken, is_good, is_safer)


def test_a_good_point_before_one_that_is_not_is_chance() -> None:
    points = [point(1, 0.992, 0.1), point(2, 0.98, 0.2), point(3, 0.995, 0.3), point(4, 1.0, 0.4)]
    assert choose(points, budget()).index == 3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"min_agreement": 99.9, "max_energy": 10},
            "nothing agrees in at least 99.9 % and takes at most 10 % of .*J = 6, agreement 99.5",
        ),
        ({"max_energy": 1}, "nothing takes at most 1 % of the energy; the least is delta two-phase, T = 4, J = 4"),
        (
            {"max_error": 0.5},
            "nothing has an error of at most 0.5 %; the best there is: delta stepped, T = 1, .*error 1 %",
        ),
    ],
)
def test_what_nothing_meets_is_refused_with_the_best_there_is(options, reason) -> None:
    with pytest.raises(RefusedError, match=reason):
        choose([*STEPPED, *TWO_PHASE], budget(**options))


@pytest.mark.parametrize(
    ("are_classes", "may_be_classes", "options", "output", "agreement", "error"),
    [
        (True, True, {}, "classes", 0.99, None),
        (False, True, {}, "both", 0.99, 0.05),
        (False, False, {}, "values", None, 0.05),
        (True, True, {"output": "values"}, "values", None, 0.05),
        (False, True, {"output": "classes"}, "classes", 0.99, None),
        (False, True, {"max_error": 2}, "both", None, 0.02),
        (True, True, {"min_agreement": 98, "max_error": 2}, "classes", 0.98, 0.02),
    ],
)
def test_what_the_outputs_are(are_classes, may_be_classes, options, output, agreement, error) -> None:
    found = budget(are_classes=are_classes, may_be_classes=may_be_classes, **options)
    assert (found.output, found.min_agreement, found.max_error) == (output, agreement, error)


def test_values_have_no_agreement() -> None:
    for options in ({"min_agreement": 99}, {"output": "classes"}):
        with pytest.raises(RefusedError, match="no scores of classes, so there is no agreement; use --max-error"):
            budget(may_be_classes=False, **options)


def test_an_error_that_is_not_a_number_has_lost() -> None:
    points = [point(1, None, 0.1, error=math.nan), point(2, None, 0.2, error=0.2), point(3, None, 0.3, error=math.nan)]
    choice = choose(points, budget(may_be_classes=False))
    assert (choice.index, choice.is_good) == (1, False)
