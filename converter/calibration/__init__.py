"""From calibration samples to the numbers that neurons need: one file per method."""

from __future__ import annotations

import numpy as np

from converter.calibration.balance import balanced_range
from converter.calibration.mse import mse_range
from converter.calibration.percentile import percentile_range
from converter.calibration.statistics import ChannelHistogram

METHODS = ("percentile", "mse", "balance")
FLOOR = 1e-3
"""Channels that are silent on the calibration samples still get a range: this share of the layer's largest."""
SILENT = 1e-30
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
    else:
        top = percentile_range(histogram, percentile)
    largest = float(top.max(initial=0))
    return np.maximum(top, FLOOR * largest) if largest > SILENT else np.ones_like(top)
