"""What a budget takes from measured points.

    good        agreement with the trained model's classes >= 99 % where outputs are classes, error <= 5 % where they are
                values, or what the user named
    in budget   energy <= what the user named

Of each family the first good point is found, in the order of T or J, and one more is taken for safety, where that is good and
in budget, too: calibration samples are usually samples that the network was trained on, and on those it agrees too well.
Of families the cheapest is taken; without a budget the stepped delta code, which works in streams and answers step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converter.conversion.result import Point
from converter.errors import RefusedError
from converter.options import AUTO, Options

LEAST_AGREEMENT, MOST_ERROR = 0.99, 0.05
"""Where the user names nothing."""
SLACK = 1e-9


@dataclass(frozen=True)
class Budget:
    """What a result must have, as shares; None: does not matter.

    Attributes:
        output: what the outputs are taken for: "classes", "values", or "both".
        min_agreement, max_error, max_energy: the limits.
        is_named: the user said how good it must be; else the limits for that are the usual ones.
    """

    output: str
    min_agreement: float | None
    max_error: float | None
    max_energy: float | None
    is_named: bool

    @staticmethod
    def of(options: Options, *, are_classes: bool, may_be_classes: bool) -> Budget:
        """The budget of these options.

        Args:
            options: the user's.
            are_classes: the model's outputs are known to be classes.
            may_be_classes: they have the form of scores, or of class numbers.

        Raises:
            RefusedError: agreement is asked of outputs that are no classes.
        """
        if not may_be_classes and (options.min_agreement is not None or options.output == "classes"):
            raise RefusedError("its outputs are no scores of classes, so there is no agreement; use --max-error")
        output = options.output
        if output == AUTO:
            output = "values" if not may_be_classes else "classes" if are_classes else "both"
        agreement, error, energy = (
            None if percent is None else percent / 100
            for percent in (options.min_agreement, options.max_error, options.max_energy)
        )
        is_named = agreement is not None or error is not None
        if not is_named:
            agreement = None if output == "values" else LEAST_AGREEMENT
            error = None if output == "classes" else MOST_ERROR
        return Budget(output, agreement, error, energy, is_named)

    def is_good(self, point: Point) -> bool:
        """Whether it agrees with the trained model well enough. An error that is not a number is not."""
        agrees = self.min_agreement is None or (point.agreement or 0.0) >= self.min_agreement - SLACK
        is_close = self.max_error is None or (
            point.relative_error is not None and point.relative_error <= self.max_error + SLACK
        )
        return agrees and is_close

    def is_affordable(self, point: Point) -> bool:
        """Whether it takes no more energy than it may."""
        return self.max_energy is None or (point.energy_ratio or 0.0) <= self.max_energy + SLACK

    def distance(self, point: Point) -> float:
        """How far it is from the trained model; of several that are not good, the least is the best."""
        error = point.relative_error
        far = float("inf") if error is None or error != error else error
        if self.min_agreement is None or point.agreement is None:
            return far
        return 1 - point.agreement + 1e-3 * min(far, 1.0)


@dataclass(frozen=True)
class Choice:
    """What was taken: the index of a point; whether it is good; whether one more was taken for safety."""

    index: int
    is_good: bool
    is_safer: bool


def choose(points: Sequence[Point], budget: Budget, preferred: str | None = None) -> Choice:
    """The point to take.

    Args:
        points: of each family in the order of T or J.
        budget: what it must have.
        preferred: the schedule to take where both have good points; None: the cheaper.

    Raises:
        RefusedError: nothing has what the user named; the message names the best there is.
    """
    by_family: dict[tuple[str, str, str], list[int]] = {}
    for index, point in enumerate(points):
        by_family.setdefault(point.family, []).append(index)
    found = [c for c in (_first_good(points, family, budget) for family in by_family.values()) if c is not None]
    if found:
        of_schedule = [c for c in found if preferred in (None, points[c.index].schedule)]
        return min(of_schedule or found, key=lambda c: points[c.index].energy_ratio or 0.0)
    affordable = [i for i, point in enumerate(points) if budget.is_affordable(point)]
    if not affordable:
        least = min(points, key=lambda point: point.energy_ratio or 0.0)
        raise RefusedError(
            f"nothing takes at most {_percent(budget.max_energy)} of the energy; the least is {_shown(least)}"
        )
    in_schedule = [i for i in affordable if preferred in (None, points[i].schedule)]
    best = min(in_schedule or affordable, key=lambda i: budget.distance(points[i]))
    if budget.is_named:
        raise RefusedError(f"nothing {_asked(budget)}; the best there is: {_shown(points[best])}")
    return Choice(best, is_good=False, is_safer=False)


def _first_good(points: Sequence[Point], family: Sequence[int], budget: Budget) -> Choice | None:
    """The first good point whose successor is good, too, or which is the last; and that successor, if it is affordable."""
    good = [budget.is_good(points[i]) for i in family]
    affordable = [budget.is_affordable(points[i]) for i in family]
    fit = [place for place, i in enumerate(family) if good[place] and affordable[place]]
    if not fit:
        return None
    safe = [place for place in fit if place + 1 in fit]
    if safe:
        return Choice(family[safe[0] + 1], is_good=True, is_safer=True)
    return Choice(family[fit[-1]], is_good=True, is_safer=False)


def _asked(budget: Budget) -> str:
    words = []
    if budget.min_agreement is not None:
        words.append(f"agrees in at least {_percent(budget.min_agreement)}")
    if budget.max_error is not None:
        words.append(f"has an error of at most {_percent(budget.max_error)}")
    if budget.max_energy is not None:
        words.append(f"takes at most {_percent(budget.max_energy)} of the energy")
    return " and ".join(words)


def _shown(point: Point) -> str:
    words = [str(point)]
    if point.agreement is not None:
        words.append(f"agreement {_percent(point.agreement)}")
    if point.relative_error is not None:
        words.append(f"error {_percent(point.relative_error)}")
    if point.energy_ratio is not None:
        words.append(f"energy {_percent(point.energy_ratio)}")
    return ", ".join(words)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3g} %"
