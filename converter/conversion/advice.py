"""What a user should know about a conversion, and could do. What could be done is measured before it is said."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from converter.conversion.build import build
from converter.conversion.effects import idle_options
from converter.conversion.front import Taken
from converter.conversion.result import Conversion, Front, Recipe
from converter.errors import RefusedError
from converter.graph.build import add_functions, to_proto
from converter.graph.run import Probe
from converter.io.samples import Samples
from converter.measure.scores import strange_labels
from converter.measure.steps import Reference, after_steps
from converter.options import FITTED, MOST_EXPONENT, NEURONS, Options, is_open

LARGE_ERROR = 0.1
"""Of a layer, from where on it is worth a note."""
BETTER = 0.9
"""Of the error: what advice must lead below."""
LOST, DEVIATIONS, TIMES = 0.05, 2, 2
"""Between a stream and single samples, to be worth a note: share of frames, standard deviations of it, times the error."""
RUNS = 5
LEAST_TO_HALVE = 16


def advice(conversion: Conversion, taken: Taken, samples: Samples) -> list[str]:
    """What a user should know and could do.

    Args:
        conversion: what came of it.
        taken: how.
        samples: those that it was measured on.
    """
    notes = []
    if conversion.ann.quantised:
        notes.append("the model was quantised; converted, and compared with, is what its integers stand for in floats")
    notes += _given(_strange_labels(taken.prepared.all_samples(), taken))
    if conversion.front is not None:
        notes.append(_choice(conversion.front))
    if conversion.is_unchosen:
        options = conversion.options
        what = f"J = {options.finest}" if options.schedule == "two-phase" else f"T = {options.n_steps}"
        notes.append(f"{what} is taken without choosing: fewer than 64 samples were left to choose on; better give 512")
    worst = max(conversion.layers, key=lambda layer: layer.relative_error)
    if worst.relative_error > LARGE_ERROR:
        ways = "; ".join(_ways(conversion, taken, samples))
        advised = f"; measured on {_counted(samples, taken)}: {ways}" if ways else ""
        notes.append(f"the largest error is {worst.relative_error:.0%}, in layer {worst.name!r}{advised}")
    notes += [idle.text for idle in idle_options(taken.prepared, taken.recipe, chooses=taken.front is not None)]
    if not conversion.trials and is_open(conversion.options):
        notes.append(
            f"taken without measuring: {conversion.recipe} (few samples, or a model so large that it would take long)"
        )
    if (conversion.work.energy_ratio or 0) > 1 and not conversion.options.is_delta:
        notes.append(
            f"{conversion.options.n_steps} steps of these spikes cost more additions than the trained model's multiply-adds "
            "are worth; --code delta takes a small part of them"
        )
    notes += _given(conversion.totals().verdict(), _lost_in_a_stream(conversion))
    if not conversion.measured.held_out:
        notes.append("too few samples to hold any out: errors and spikes are those of samples that calibration saw")
    if conversion.options.schedule == "two-phase":
        notes.append(
            f"two-phase: a layer begins when the one before it has sent, so event-driven hardware has the answer after "
            f"{conversion.steps_to_answer} steps ({conversion.options.n_steps} for each layer of the longest chain)"
        )
    return notes


def _given(*notes: str | None) -> list[str]:
    """Those that there are."""
    return [note for note in notes if note]


def _lost_in_a_stream(conversion: Conversion) -> str | None:
    """What to say where samples one after the other are answered clearly worse than each alone; None where they are not."""
    options, alone = conversion.options, conversion.measured
    stream = alone.stream
    if stream is None:
        return None
    if stream.agreement is not None and alone.agreement is not None:
        lost, counts = alone.agreement - stream.agreement, (alone.samples, stream.frames)
        pooled = (alone.agreement * counts[0] + stream.agreement * counts[1]) / sum(counts)
        chance = math.sqrt(pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1]))
        if lost <= max(LOST, DEVIATIONS * chance):
            return None
        shares = (stream.agreement, alone.agreement)
        what = f"has the trained model's class on {shares[0]:.0%} of {counts[1]} frames, alone on {shares[1]:.0%}"
    else:
        now, before = stream.relative_error or 0.0, alone.relative_error or 0.0
        if now <= max(LARGE_ERROR, TIMES * before):
            return None
        what = f"has an error of {now:.0%} on {stream.frames} frames, alone of {before:.0%}"
    if options.is_delta:
        ways = "a larger --exponent" if options.schedule == "two-phase" else "more --steps"
    elif not options.forgets:
        ways = "--readout window or leaky, --code delta"
    else:
        ways = f"more --steps, {'--neuron if-burst, ' if conversion.recipe.neuron in FITTED else ''}--code delta"
    return (
        f"a stream of this file {what}: it does not follow samples that come one after the other without a reset, "
        f"{options.steps_of_file} steps each; worth a try: {ways}"
    )


def _strange_labels(samples: Samples, taken: Taken) -> str | None:
    """What to say of labels that are no classes of the trained model; None: nothing."""
    if samples.labels is None:
        return None
    model = taken.prepared.trained
    output = model.graph.outputs[0]
    return strange_labels(samples.labels, Probe(model, [output]).run(samples.first(1).feed)[str(output.name)])


def _choice(front: Front) -> str:
    """Why that point was taken."""
    limits = []
    if front.min_agreement is not None:
        limits.append(f"{100 * front.min_agreement:.4g} % agreement")
    if front.max_error is not None:
        limits.append(f"{100 * front.max_error:.4g} % error")
    wanted = " and ".join(limits)
    if not front.reached:
        return f"nothing that was measured reaches {wanted}; taken is the most accurate, {front.chosen}"
    safety = ", with one more for safety" if front.safety else ""
    return f"{front.chosen} is the least that reaches {wanted} on {front.samples} samples{safety}"


def _counted(samples: Samples, taken: Taken) -> str:
    count = min(len(samples), taken.prepared.affordable_samples(RUNS))
    return f"{count} samples"


def _ways(conversion: Conversion, taken: Taken, samples: Samples) -> Iterator[str]:
    """What leads to a clearly smaller error of the outputs on these samples, the best first."""
    prepared, options = taken.prepared, conversion.options
    if options.streaming:
        return
    reference = Reference(prepared.ann, samples.first(prepared.affordable_samples(RUNS)))

    def error(changed: Options, recipe: Recipe, count: int | None = None) -> float:
        try:
            draft = build(replace(prepared, options=changed), recipe, prepared.samples.first(count))
        except RefusedError:
            return float("inf")
        add_functions(draft.model)
        (run,) = after_steps(to_proto(draft.model), changed.schedule, reference, [changed.n_steps])
        return run.result.relative_error or 0.0

    now = error(options, taken.recipe)
    found = [(error(changed, recipe), words) for changed, recipe, words in _candidates(options, taken.recipe)]
    for less, words in sorted(found):
        if less < BETTER * now:
            yield f"{words} has an error of {100 * less:.3g} instead of {100 * now:.3g} %"
    half = len(prepared.samples) // 2
    if 2 * half >= LEAST_TO_HALVE and now < BETTER * error(options, taken.recipe, half):
        yield "half of the calibration samples give a larger error, so more may give a smaller one"


def _candidates(options: Options, recipe: Recipe) -> Iterator[tuple[Options, Recipe, str]]:
    """Other ways, and how to ask for them."""
    if options.schedule == "two-phase" and options.is_delta:
        finer = min(options.finest + 2, MOST_EXPONENT)
        yield replace(options, exponent=finer), recipe, f"--exponent {finer}"
        return
    steps = 2 * options.n_steps
    yield replace(options, n_steps=steps), recipe, f"--steps {steps}"
    if options.is_delta:
        return
    neuron = NEURONS[recipe.neuron]
    burst = replace(recipe, neuron="if-burst")
    if neuron.most_spikes == 1 or neuron.fitted:
        yield replace(options, neuron="if-burst"), burst, "--neuron if-burst"
    if options.schedule == "stepped" and not neuron.fitted:
        yield replace(options, schedule="two-phase", neuron="if-burst"), burst, "--schedule two-phase --neuron if-burst"
