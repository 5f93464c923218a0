"""A front to report on."""

from __future__ import annotations

from converter.conversion.result import Front, Point


def point(schedule: str, steps: int, exponent: int | None, agreement: float, error: float, energy: float) -> Point:
    answer = steps if schedule == "stepped" else 3 * steps
    return Point("delta", schedule, "MultiThreshold", steps, exponent, 0.9, 0.01, agreement, error, 0.5, energy, answer)


def front() -> Front:
    """Three numbers of steps, of which the second was taken, and a point of the other schedule that takes half as much."""
    points = [
        point("stepped", 1, None, 0.9, 0.2, 0.1),
        point("stepped", 2, None, 0.99, 0.04, 0.2),
        point("stepped", 4, None, 1.0, 0.01, 0.4),
        point("two-phase", 4, 5, 0.99, 0.03, 0.1),
    ]
    return Front(points, 1, 3, 100, "classes", 0.99, None, None, True, False, None, 0.91)
