"""Which neuron, method and correction: `--method auto` and `--neuron auto` measure on held-out calibration samples.

First the neurons are compared, then the methods for the best of them, then the corrections. What counts is the relative error
of the outputs after T/4, T/2 and T steps (their geometric mean); a simpler choice wins if it is within `MARGIN` of the
best. Where the model is so large that measuring would take long, the defaults are taken: the neuron with the least error and
the method that is never far from the best on the models of `docs/accuracy.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.conversion.result import Recipe, Trial
from converter.options import METHODS, Options

MARGIN = 1.1
BUDGET = 3e10
"""Multiply-adds for measuring, some seconds on two cores."""
MOST_SAMPLES = 32
_NEURONS = {"stepped": ("if", "if-signed", "if-burst"), "two-phase": ("if", "if-burst", "few-spike")}
"""Candidates, the simplest first."""


def default_recipe(options: Options) -> Recipe:
    """What is taken without measuring."""
    return Recipe(
        "if-burst" if options.neuron == "auto" else options.neuron,
        "percentile" if options.method == "auto" else options.method,
        "none" if options.correction == "auto" else options.correction,
    )


def readout_steps(n_steps: int) -> list[int]:
    """T/4, T/2 and T, as far as there are such steps."""
    return sorted({max(1, n_steps // part) for part in (4, 2, 1)})


def choose(options: Options, measure: Callable[[Recipe], Trial]) -> list[Trial]:
    """Measures candidates and returns all trials, the chosen one last."""
    recipe = default_recipe(options)
    trials: list[Trial] = []
    for part, candidates in (
        ("neuron", _NEURONS[options.schedule]),
        ("method", METHODS),
        ("correction", ("none", "bias", "potential")),
    ):
        if getattr(options, part) == "auto":
            tried = [_measured(Recipe(**{**vars(recipe), part: name}), trials, measure) for name in candidates]
            recipe = _simplest(tried).recipe
    chosen = _measured(recipe, trials, measure)
    trials.remove(chosen)
    return [*trials, chosen]


def _measured(recipe: Recipe, trials: list[Trial], measure: Callable[[Recipe], Trial]) -> Trial:
    for trial in trials:
        if trial.recipe == recipe:
            return trial
    trials.append(measure(recipe))
    return trials[-1]


def _simplest(tried: Sequence[Trial]) -> Trial:
    least = min(trial.error for trial in tried)
    return next(trial for trial in tried if trial.error <= MARGIN * least)
