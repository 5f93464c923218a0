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
    1: Typical(0.18, 0.24, 0.45, 16),
    2: Typical(0.30, 0.44, 0.80, 16),
    3: Typical(0.39, 0.58, 1.06, 16),
    4: Typical(0.47, 0.70, 1.30, 16),
    6: Typical(0.57, 0.91, 1.76, 16),
    8: Typical(0.66, 1.15, 2.21, 16),
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
