"""What conversions took on the models of docs/accuracy.md and docs/delta-models.md: for an estimate before there are samples.

Numbers are spikes per synapse: a quarter of the models took less than the first, half less than the second, a quarter more than
the third. They come from `benchmarks/results/defaults/models.json` and `benchmarks/results/delta/models.json`.
"""

from __future__ import annotations

from dataclasses import dataclass

from converter.options import AUTO, Options


@dataclass(frozen=True)
class Typical:
    """Spikes per synapse.

    Attributes:
        low, median, high: quartiles.
        models: of how many models.
    """

    low: float
    median: float
    high: float
    models: int


CHOSEN = {"stepped": Typical(0.42, 1.21, 1.85, 27), "two-phase": Typical(0.40, 1.04, 1.42, 27)}
"""Of the delta code, by schedule, where T or J is chosen: the fewest with 99 % agreement, or 5 % error."""
BY_STEPS = {
    1: Typical(0.19, 0.28, 0.43, 21),
    2: Typical(0.31, 0.55, 0.80, 21),
    3: Typical(0.42, 0.76, 1.13, 21),
    4: Typical(0.51, 0.93, 1.38, 21),
    6: Typical(0.59, 1.24, 1.81, 21),
    8: Typical(0.69, 1.56, 2.31, 21),
}
"""Of the stepped delta code, by T."""


def typical(options: Options) -> Typical | None:
    """What to expect of these options; None where nothing like them was measured.

    Args:
        options: the user's, what is left open among them.
    """
    if options.code == "rate" or options.streaming:
        return None
    schedule = "stepped" if options.schedule == AUTO else options.schedule
    if options.opens_steps and options.exponent is None:
        return CHOSEN[schedule]
    return BY_STEPS.get(options.n_steps) if schedule == "stepped" else None
