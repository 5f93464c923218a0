"""Which neuron, method and correction: those that the user left open are measured on held-out calibration samples.

First the neurons are compared, then the methods for the best of them, then the corrections. What counts is the relative error
of the outputs after T/4, T/2 and T steps (their geometric mean); a simpler choice wins if it is within `MARGIN` of the
best. Where the model is so large that measuring would take long, the defaults are taken: the neuron with the least error and
the method that is never far from the best on the models of `docs/accuracy.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from converter.conversion.build import build
from converter.conversion.prepare import Prepared
from converter.conversion.result import Recipe, Trial
from converter.graph.build import add_functions, to_proto
from converter.io.samples import Samples
from converter.measure.evaluation import evaluate
from converter.measure.instruments import without_softmax
from converter.normalise.ann import Ann
from converter.options import AUTO, CORRECTIONS, METHODS, NEURONS, Options, is_open
from converter.spiking.model import SpikingModel
from snn_ops.format import Metadata

MARGIN = 1.1
LEAST_HELD_OUT = 4
"""Samples to measure on, below which nothing is measured."""
MOST_TRIALS = 7


def search(prepared: Prepared) -> tuple[Recipe, list[Trial]]:
    """The recipe to take, and the trials on samples that the ranges do not follow from, the chosen one last.

    Where nothing is left open, or measuring would take too long, there are no trials and the recipe is the default.
    """
    held_out = min(len(prepared.samples) // 4, prepared.affordable_samples(len(prepared.sites) + MOST_TRIALS))
    if not is_open(prepared.options) or held_out < LEAST_HELD_OUT:
        return default_recipe(prepared.options), []
    fitting, measuring = prepared.samples.split(len(prepared.samples) - held_out)
    ann = replace(prepared.ann, model=without_softmax(prepared.ann.model.clone()))
    count = 0

    def measure(recipe: Recipe) -> Trial:
        nonlocal count
        count += 1
        prepared.progress(f"measuring {recipe}", count, MOST_TRIALS)
        return _measure(prepared, recipe, fitting, measuring, ann)

    trials = _choose(prepared.options, measure)
    return trials[-1].recipe, trials


def default_recipe(options: Options) -> Recipe:
    """What is taken without measuring."""
    if options.is_delta:
        return Recipe("multi-threshold", "quantile", "none")
    return Recipe(
        "if-burst" if options.neuron == AUTO else options.neuron,
        "percentile" if options.method == AUTO else options.method,
        "none" if options.correction == AUTO else options.correction,
    )


def _readout_steps(n_steps: int) -> list[int]:
    """T/4, T/2 and T, as far as there are such steps."""
    return sorted({max(1, n_steps // divisor) for divisor in (4, 2, 1)})


def _measure(prepared: Prepared, recipe: Recipe, fitting: Samples, measuring: Samples, against: Ann) -> Trial:
    """Builds the recipe on some samples and evaluates it on others."""
    draft = build(prepared, recipe, fitting, corrections_on=measuring)
    add_functions(draft.model)
    metadata = Metadata.read(draft.model.metadata_props) | Metadata(schedule=prepared.options.schedule)
    metadata.write(draft.model.metadata_props)
    spiking = SpikingModel(prepared.ann.path, to_proto(without_softmax(draft.model)))
    result = evaluate(spiking, measuring, _readout_steps(prepared.options.n_steps), against=against)
    errors = {step.n_steps: step.relative_error or 0.0 for step in result.steps}
    return Trial(recipe, errors, float(np.mean(list(result.spike_rates.values()))))


def _choose(options: Options, measure: Callable[[Recipe], Trial]) -> list[Trial]:
    """Measures candidates for each open choice in turn and returns all trials, the chosen one last."""
    recipe = default_recipe(options)
    trials: dict[Recipe, Trial] = {}

    def best(candidates: Sequence[Recipe]) -> Recipe:
        for candidate in candidates:
            if candidate not in trials:
                trials[candidate] = measure(candidate)
        return _simplest([trials[candidate] for candidate in candidates]).recipe

    if options.neuron == AUTO:
        names = [name for name, word in NEURONS.items() if options.schedule in word.trials]
        recipe = best([replace(recipe, neuron=name) for name in names])
    if options.method == AUTO:
        recipe = best([replace(recipe, method=name) for name in METHODS])
    if options.correction == AUTO:
        recipe = best([replace(recipe, correction=name) for name in CORRECTIONS])
    chosen = trials.pop(recipe)
    return [*trials.values(), chosen]


def _simplest(tried: Sequence[Trial]) -> Trial:
    least = min(trial.error for trial in tried)
    return next(trial for trial in tried if trial.error <= MARGIN * least)
