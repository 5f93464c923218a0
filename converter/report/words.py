"""A conversion in plain words: what it gives, what it costs, what stays analog, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from converter.conversion.result import Conversion, Front, Point
from converter.report.charts import name_of

ENOUGH_SAMPLES = 512
"""For calibration."""
CLEARLY = 0.9
"""Of an energy: what is less than this share of it is worth a word."""


@dataclass(frozen=True)
class Tile:
    """A number that stands for itself."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Step:
    """Something to try: why, and the options that ask for it."""

    text: str
    options: str = ""


@dataclass(frozen=True)
class _Quality:
    """How good the answers are: on the samples of the front, or else on those that layers were measured on."""

    samples: int
    held_out: bool
    agreement: float | None
    error: float | None
    accuracy: float | None
    trained: float | None


def headline(conversion: Conversion) -> list[str]:
    """Sentences: what it is, what it loses, what it costs."""
    return [_what(conversion), _loses(conversion), _costs(conversion)]


def tiles(conversion: Conversion) -> list[Tile]:
    """The numbers that matter most."""
    quality = _quality(conversion)
    found: list[Tile] = []
    if quality.agreement is not None:
        found.append(Tile("same class", share(quality.agreement), f"as the trained network, {quality.samples} samples"))
    if quality.accuracy is not None and quality.trained is not None:
        found.append(Tile("accuracy", share(quality.accuracy), f"trained network {share(quality.trained)}"))
    if len(found) < 2 and quality.error is not None:
        found.append(Tile("error of the outputs", share(quality.error), "against the trained network"))
    work, other = conversion.work, conversion.eight_bit
    beside = "" if other.energy_ratio is None else f"; 8-bit network {share(other.energy_ratio)}"
    if work.energy_ratio is not None:
        found.append(Tile("energy, estimated", share(work.energy_ratio), f"of the trained network's{beside}"))
    steps = conversion.steps_to_answer
    found.append(Tile("answer after", f"{steps} step{'s' * (steps != 1)}", f"{conversion.options.schedule} schedule"))
    return found


def stays_analog(conversion: Conversion) -> str:
    """How much is not done by spikes, in a sentence or two."""
    work = conversion.work
    part = work.analog_multiply_adds / work.multiply_adds if work.multiply_adds else 0.0
    if not part:
        first = "No multiplication of the layers with weights is left: spikes do them all, as additions."
    else:
        first = (
            f"{share(part)} of the trained network's multiply-adds stay multiplications, because numbers enter there."
        )
    if conversion.options.is_delta:
        return (
            f"{first} What lies between layers with weights (activations, pooling, sums, norms) is computed as it stands; "
            "neurons send the changes of its result."
        )
    return f"{first} Linear operations without weights pass spikes on; what is not linear needs means over time."


def next_steps(conversion: Conversion) -> list[Step]:
    """What to try, from what was measured and what was missing."""
    return [*_other_points(conversion), *_missing(conversion)]


def share(value: float | None) -> str:
    """0.4275 -> "43 %", 0.9958 -> "99.6 %"; two digits, and near 100 % as many as tell the difference."""
    if value is None:
        return "-"
    percent = 100 * value
    if 99 < percent < 100:
        return f"{percent:.2f} %" if percent > 99.9 else f"{percent:.1f} %"
    if 90 <= percent <= 99:
        return f"{percent:.1f} %"
    if percent >= 100:
        return f"{percent:,.0f} %"
    return f"{percent:.2g} %"


def times(ratio: float) -> str:
    """0.4275 -> "43 % of", 6.58 -> "6.6 times", as words before what it is a multiple of."""
    if ratio <= 1:
        return f"{share(ratio)} of"
    return f"{ratio:.2g} times" if ratio < 10 else f"{ratio:,.0f} times"


def large(count: float) -> str:
    """11574592 -> "11.6 million"."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if count >= size:
            return f"{count / size:.3g} {word}"
    return f"{count:.3g}"


def _quality(conversion: Conversion) -> _Quality:
    front, measured = conversion.front, conversion.measured
    if front is not None:
        chosen = front.chosen
        error, accuracy = chosen.relative_error, chosen.accuracy
        return _Quality(front.samples, True, chosen.agreement, error, accuracy, front.ann_accuracy)
    return _Quality(
        measured.samples,
        measured.held_out,
        measured.agreement,
        measured.relative_error,
        measured.accuracy,
        measured.ann_accuracy,
    )


def _what(conversion: Conversion) -> str:
    options, count = conversion.options, len(conversion.layers)
    neurons = ", ".join(dict.fromkeys(layer.neuron for layer in conversion.layers))
    carries = "each spike is a change of a value" if options.is_delta else "the mean of the spikes is the value"
    stream = " It is a stream: it can be fed without an end." if options.streaming else ""
    return (
        f"The trained network ({large(conversion.work.multiply_adds)} multiply-adds a sample) became a spiking one: "
        f"{count} layer{'s' * (count != 1)} of spiking neurons ({neurons}), {options.steps_of_file} time "
        f"step{'s' * (options.steps_of_file != 1)}, {options.code} code ({carries}).{stream}"
    )


def _loses(conversion: Conversion) -> str:
    quality = _quality(conversion)
    seen = "held back from calibration" if quality.held_out else "that calibration saw too (there were too few)"
    on = f"On {quality.samples} samples {seen}"
    if quality.agreement is None:
        return f"{on}, its outputs differ from the trained network's by {share(quality.error)}."
    same = f"{on}, it gives the trained network's class for {share(quality.agreement)}"
    if quality.accuracy is None or quality.trained is None:
        return f"{same}; without labels nobody knows which of the two is right on the others."
    lost = 100 * (quality.trained - quality.accuracy)
    word = "as often as the trained network"
    if abs(lost) >= 0.005:
        word = f"{abs(lost):.2g} points {'less' if lost > 0 else 'more'} than the trained network"
    return f"{same}, and is right on {share(quality.accuracy)}, {word}."


def _costs(conversion: Conversion) -> str:
    ratio, other = conversion.work.energy_ratio, conversion.eight_bit.energy_ratio
    if ratio is None:
        return "It has no layer with weights, so there is no energy to compare."
    first = f"Its arithmetic takes an estimated {times(ratio)} the trained network's energy in 32-bit floats"
    if not other:
        return f"{first}."
    return f"{first}, and {times(ratio / other)} that of the same network in 8-bit integers."


def _other_points(conversion: Conversion) -> Iterator[Step]:
    """Points of the front on both sides of the one that was taken, and that of the other schedule."""
    front = conversion.front
    if front is None:
        return
    chosen = front.chosen
    family = [point for point in front.points if point.family == chosen.family]
    place = family.index(chosen)
    if place + 1 < len(family):
        yield Step(f"More exact: {_described(family[-1], front)}", _asked(family[-1], conversion))
    if place:
        cheaper = family[(place - 1) // 2] if place > 1 else family[0]
        yield Step(f"Cheaper: {_described(cheaper, front)}", _asked(cheaper, conversion))
    if front.beside is not None:
        beside = front.points[front.beside]
        if (beside.energy_ratio or 0) < CLEARLY * (chosen.energy_ratio or 0):
            later = f"; the answer takes {beside.steps_to_answer} steps instead of {chosen.steps_to_answer}"
            text = f"The other schedule: {_described(beside, front)}{later}"
            yield Step(text, _asked(beside, conversion))


def _described(point: Point, front: Front) -> str:
    energy = f"{share(point.energy_ratio)} of the trained network's energy"
    if front.min_agreement is not None and point.agreement is not None:
        return f"{energy}, the same class for {share(point.agreement)}"
    return f"{energy}, {share(point.relative_error)} error of the outputs"


def _asked(point: Point, conversion: Conversion) -> str:
    """The options that ask for a point."""
    words = []
    if point.code != "delta" or conversion.options.code != "delta":
        words.append(f"--code {point.code}")
    if point.schedule != "stepped":
        words.append(f"--schedule {point.schedule}")
    words.append(f"--steps {point.n_steps}" if point.exponent is None else f"--exponent {point.exponent}")
    return " ".join(words)


def _missing(conversion: Conversion) -> Iterator[Step]:
    source = name_of(conversion.ann.path.stem)
    yield Step(
        "Measure it on data that neither training nor calibration saw",
        f"onnx-snn evaluate {source}.snn.onnx --data test.npz",
    )
    if conversion.measured.ann_accuracy is None:
        yield Step(
            "Give labels, where there are any: an array y beside x in the calibration file; then this page shows accuracy"
        )
    if conversion.calibration_samples < ENOUGH_SAMPLES // 2:
        yield Step(
            f"Give more calibration samples: there were {conversion.calibration_samples}, some {ENOUGH_SAMPLES} are better"
        )
    if conversion.options.is_delta:
        yield Step("For hardware whose spikes are all of one height", "--code rate")
    elif conversion.work.analog_multiply_adds or conversion.kept_analog:
        yield Step("For spikes in front of every layer with weights, whatever lies between", "--code delta")
    if not conversion.options.streaming:
        yield Step("For input that goes on without an end, of which little changes", "--streaming")
