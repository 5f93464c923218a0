"""From histograms to the range of each channel: percentile, least squared error, balancing."""

from __future__ import annotations

import numpy as np

from converter.calibration.histograms import ChannelHistogram

FLOOR = 1e-3
"""Channels that are silent on the calibration samples still get a range: this share of the layer's largest."""
VANISHING = 1e-30
"""A layer that never gets larger counts as silent, with a range of 1: a share of this must still be a float32."""


def calibrated_range(
    method: str, histogram: ChannelHistogram, *, percentile: float, n_steps: int, levels: int, max_spikes: int
) -> np.ndarray:
    """The positive activation per channel that `levels` spikes in every step shall stand for.

    Args:
        method: one of `METHODS`.
        histogram: of the activation on the calibration samples.
        percentile, n_steps, levels, max_spikes: what the methods take.
    """
    if method == "mse":
        top = mse_range(histogram, n_steps, levels, max_spikes)
    elif method == "balance":
        top = balanced_range(histogram)
    elif method == "percentile":
        top = percentile_range(histogram, percentile)
    else:
        raise ValueError(f"there is no method {method!r}")
    largest = float(top.max(initial=0))
    return np.maximum(top, FLOOR * largest) if largest > VANISHING else np.ones_like(top)


def percentile_range(histogram: ChannelHistogram, percentile: float) -> np.ndarray:
    """One number per channel.

    Args:
        histogram: of the activation on the calibration samples.
        percentile: above 0, at most 100.
    """
    return histogram.magnitude_quantile(percentile / 100)


RATIOS = np.geomspace(0.08, 1.1, 36)
"""Candidates, as shares of the largest activation."""


def mse_range(histogram: ChannelHistogram, n_steps: int, levels: int, max_spikes: int) -> np.ndarray:
    """One number per channel.

    Args:
        histogram: of the activation on the calibration samples.
        n_steps: T.
        levels: spikes a step that stand for the top of the range.
        max_spikes: most spikes in one step.
    """
    values, shares = histogram.magnitudes()
    best, least = np.zeros(len(values)), np.full(len(values), np.inf)
    for ratio in RATIOS:
        top = ratio * histogram.limit
        step = np.maximum(top, np.finfo(np.float32).tiny)[:, None] / (levels * n_steps)
        coded = np.minimum(np.round(values / step), n_steps * max_spikes) * step
        error = (shares * (coded - values) ** 2).sum(axis=1)
        better = error < least
        best[better], least[better] = top[better], error[better]
    return best


ITERATIONS = 100


def balanced_range(histogram: ChannelHistogram) -> np.ndarray:
    """One number per channel.

    Args:
        histogram: of the activation on the calibration samples.
    """
    values, shares = histogram.magnitudes()
    top = np.zeros(len(values))
    for _ in range(ITERATIONS):
        top += 2 * (shares * np.maximum(values - top[:, None], 0)).sum(axis=1)
    return top
