"""Outputs before times: whether a system computed what it should have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.workloads.network import Equation

OUTPUT_BOUND = 1e-5
"""Of the largest output: the sums are exact (`catalogue`), the mean over T steps is rounded once or twice."""
RELU_BOUND = 1e-4
"""Of the largest output of a trained model, whose sums are not exact: float32, in whatever order."""
LIF_SHARE = 2e-3
"""Of the neurons may have a spike more or less: exponentials are rounded otherwise, and a spike falls into the next step."""


@dataclass(frozen=True)
class Outputs:
    """What a system gave: outputs ``[batch, ...]``, and spike counts ``[batch, ...]`` by layer, or None."""

    y: np.ndarray
    counts: dict[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Comparison:
    """Whether outputs are those that were expected.

    Attributes:
        equal: they are, within the bound.
        bound: in words.
        difference: in words.
        outputs_off: the largest difference of an output.
        counts_off: the share of neurons with another spike count; None: the system does not tell them.
    """

    equal: bool
    bound: str
    difference: str
    outputs_off: float
    counts_off: float | None


def compare(found: Outputs, expected: Outputs, target: str, equation: Equation, n_steps: int) -> Comparison:
    """Of a system's outputs with those that it is held against.

    Args:
        found, expected: both.
        target: as in `benchmarks.systems.system.Rule`.
        equation: of the neurons.
        n_steps: over which spikes were counted.
    """
    if found.y.shape != expected.y.shape:
        words = f"outputs of shape {list(found.y.shape)} for {list(expected.y.shape)}"
        return Comparison(False, "", words, float("inf"), None)
    off = np.abs(found.y.astype(np.float64) - expected.y)
    largest = float(off.max(initial=0.0))
    size = float(np.abs(expected.y).max(initial=0.0))
    if not np.isfinite(found.y).all():
        return Comparison(False, "", "outputs that are no numbers", float("inf"), None)
    if target == "trained":
        bound = f"outputs within {RELU_BOUND:g} of the largest: float32 sums in another order"
        return Comparison(largest <= RELU_BOUND * max(size, 1), bound, _words(largest, None), largest, None)
    share, wrong = _counts_off(found.counts, expected.counts)
    if wrong:
        return Comparison(False, "", wrong, largest, share)
    if equation is Equation.NENGO_LIF:
        allowed = (off > 1.001 / n_steps + OUTPUT_BOUND).any(), float((off > OUTPUT_BOUND).mean())
        equal = not allowed[0] and allowed[1] <= LIF_SHARE and (share or 0) <= LIF_SHARE
        bound = f"a spike more or less in {LIF_SHARE:.1%} of the neurons at most: exponentials in float32"
    else:
        equal = largest <= OUTPUT_BOUND * max(size, 1) and not share
        bound = f"every spike count equal, outputs within {OUTPUT_BOUND:g} of the largest: the mean is rounded"
    return Comparison(equal, bound, _words(largest, share), largest, share)


def _counts_off(
    found: dict[str, np.ndarray] | None, expected: dict[str, np.ndarray] | None
) -> tuple[float | None, str]:
    """The share of neurons with another count, and what is wrong with what was given, if anything."""
    if found is None or expected is None:
        return None, ""
    different = of = 0
    for name, counts in expected.items():
        if name not in found:
            return None, f"no spike counts of {name}"
        if found[name].shape != counts.shape:
            return None, f"spike counts of {name} of shape {list(found[name].shape)} for {list(counts.shape)}"
        different += int((np.round(found[name]) != np.round(counts)).sum())
        of += counts.size
    return different / of, ""


def _words(largest: float, share: float | None) -> str:
    outputs = f"outputs differ by {largest:.2g} at most" if largest else "outputs equal"
    if share is None:
        return outputs
    return f"{outputs}, spike counts of {share:.2%} of the neurons" if share else f"{outputs}, all spike counts equal"
