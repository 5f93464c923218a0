"""What a user should know about a conversion, and could do."""

from __future__ import annotations

from converter.conversion.result import Conversion
from converter.options import NEURONS, Options, is_open


def advice(conversion: Conversion) -> list[str]:
    """What a user should know and could do."""
    notes = []
    if conversion.ann.quantised:
        notes.append("the model was quantised; converted, and compared with, is what its integers stand for in floats")
    worst = max(conversion.layers, key=lambda layer: layer.relative_error)
    if worst.relative_error > 0.1:
        ways = _delta_ways(conversion.options) if conversion.options.is_delta else _rate_ways(conversion)
        notes.append(f"the largest error is {worst.relative_error:.0%}, in layer {worst.name!r}; try {', '.join(ways)}")
    others = [layer for layer in conversion.layers if layer.reason]
    if others:
        names = ", ".join(dict.fromkeys(layer.neuron for layer in others))
        reasons = "; ".join(dict.fromkeys(layer.reason for layer in others))
        notes.append(
            f"{len(others)} of {len(conversion.layers)} layers have other neurons than was asked for ({names}): {reasons}"
        )
    if not conversion.trials and is_open(conversion.options):
        notes.append(
            f"taken without measuring: {conversion.recipe} (few samples, or a model so large that it would take long)"
        )
    if (conversion.work.energy_ratio or 0) > 1 and not conversion.options.is_delta:
        notes.append(
            f"{conversion.options.n_steps} steps of these spikes cost more additions than the trained model's multiply-adds "
            "are worth; fewer steps cost less, and so does --neuron if-signed"
        )
    verdict = conversion.totals().verdict()
    if verdict:
        notes.append(verdict)
    if not conversion.measured.held_out:
        notes.append("too few samples to hold any out: errors and spikes are those of samples that calibration saw")
    if conversion.options.schedule == "two-phase":
        notes.append(
            f"two-phase: a layer begins when the one before it has sent, so event-driven hardware has the answer after "
            f"{conversion.steps_to_answer} steps ({conversion.options.n_steps} for each layer of the longest chain)"
        )
    return notes


def _rate_ways(conversion: Conversion) -> list[str]:
    """To a smaller error with the rate code."""
    neuron = NEURONS[conversion.recipe.neuron]
    ways = ["more calibration samples", "more steps"]
    if neuron.most_spikes == 1 or neuron.fitted:
        ways.insert(0, "--neuron if-burst")
    if conversion.options.schedule == "stepped" and not neuron.fitted:
        ways.append("--schedule two-phase")
    return ways


def _delta_ways(options: Options) -> list[str]:
    """To a smaller error with the delta code."""
    finer = "more steps" if options.schedule == "stepped" else f"--exponent {options.finest + 2}"
    return [finer, "more calibration samples"]
