"""Percentile thresholds: a channel's threshold is the activation that a share q of its entries stays below.

    threshold_c = quantile_q(|a_c|),   at least FLOOR * max over channels

The highest activations are clipped so that the many small ones get finer steps of threshold / T.

Source: B. Rueckauer et al., Conversion of continuous-valued deep networks to efficient event-driven networks, Frontiers in
Neuroscience 11 (2017), robust normalisation; per channel: S. Kim et al., Spiking-YOLO, AAAI 2020.
"""

from __future__ import annotations

import numpy as np

from converter.calibration.statistics import ChannelHistogram

FLOOR = 1e-3
"""Channels that are silent on the calibration samples still get a threshold: this share of the layer's largest."""


def percentile_thresholds(histogram: ChannelHistogram, percentile: float = 99.9) -> np.ndarray:
    """One positive threshold per channel.

    Args:
        histogram: of the activation on the calibration samples.
        percentile: above 0, at most 100.
    """
    thresholds = histogram.magnitude_quantile(percentile / 100)
    largest = float(thresholds.max(initial=0))
    return np.maximum(thresholds, FLOOR * largest) if largest > 0 else np.ones_like(thresholds)
