"""Samples that a model was probably not made for, noticed before minutes are spent on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.run import RUNTIME_ERRORS, start_quietly
from converter.io.samples import Samples
from converter.measure.scores import classes_of

FEW = 256
"""Samples that are looked at."""
LEAST, MOST = 32, 64
"""Labelled samples that the trained model is asked for: fewer say nothing of chance, more cost time."""
FAR = 20.0
"""How many times wider or narrower than the calibration samples' numbers others are when they are in other units."""


def ranges(samples: Samples) -> dict[str, dict[str, float]]:
    """What a file keeps of the numbers it was calibrated on, by input."""
    found = {}
    for name, array in samples.feed.items():
        numbers = array.astype(np.float64)
        found[name] = {
            "low": float(numbers.min()),
            "high": float(numbers.max()),
            "mean": float(numbers.mean()),
            "std": float(numbers.std()),
        }
    return found


def doubts(samples: Samples, known: Mapping[str, Any], trained: ir.Model | None = None) -> list[str]:
    """What looks like a mistake, a line for each.

    Args:
        samples: the first of them are looked at.
        known: `ranges` of the samples that the model was calibrated on; empty: nobody knows.
        trained: the trained model, which is asked for its classes where there are labels.
    """
    few = samples.first(FEW)
    found = [doubt for name, array in few.feed.items() if (doubt := _doubt(name, array, known.get(name)))]
    chance = _near_chance(few, trained) if trained is not None else None
    return [*found, *([chance] if chance else [])]


def _doubt(name: str, array: np.ndarray, known: Any) -> str | None:
    """Of one input; one line, the gravest."""
    numbers = array.astype(np.float64)
    if array.size > 1 and np.ptp(numbers) == 0:
        return f"all numbers of input {name!r} are {numbers.flat[0]:g}: are these the samples?"
    if len(array) > 1 and (array[1:] == array[:1]).all():
        return f"all samples of input {name!r} are the same: are these the samples?"
    if not isinstance(known, Mapping):
        return None
    low, high = known.get("low"), known.get("high")
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not high > low:
        return None
    now = (float(numbers.min()), float(numbers.max()))
    there = f"input {name!r} runs from {now[0]:.4g} to {now[1]:.4g}, in calibration it ran from {low:.4g} to {high:.4g}"
    widest = max(abs(now[0]), abs(now[1])) / max(abs(low), abs(high))
    if widest > FAR:
        factor = " by 255" if 200 < widest < 300 else ""
        return f"{there}: divide it{factor}, or name the preprocessing with --preprocess"
    if 0 < widest < 1 / FAR:
        factor = " by 255" if 200 < 1 / widest < 300 else ""
        return f"{there}: multiply it{factor}, or name the preprocessing with --preprocess"
    return None


def _near_chance(few: Samples, trained: ir.Model) -> str | None:
    """What to say of a trained model that is hardly better than chance on labelled samples."""
    few = few.first(MOST)
    if few.labels is None or len(few) < LEAST or len(np.unique(few.labels)) < 2:
        return None
    session = start_quietly(trained)
    try:
        rows = [
            session.run(None, {name: array[i : i + 16] for name, array in few.feed.items()})[0]
            for i in range(0, len(few), 16)
        ]
        output = np.concatenate(rows)
        classes = classes_of(output, 1)
    except RUNTIME_ERRORS:  # who runs it next says why
        return None
    if classes is None or classes.shape != few.labels.shape:
        return None
    count = int(np.prod(output.shape[1:])) if output.dtype.kind == "f" else len(np.unique(few.labels))
    right, chance = float((classes == few.labels).mean()), 1 / max(2, count)
    if right > chance + 3 * np.sqrt(chance * (1 - chance) / len(few)):
        return None
    return (
        f"the trained model is right on {right:.0%} of {len(few)} labelled samples, chance is {chance:.0%}: does `y` "
        "number its classes, and are the samples preprocessed as in training?"
    )
