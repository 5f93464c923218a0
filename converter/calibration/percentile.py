"""Percentile ranges: the activation that a share q of a channel's entries stays below.

    top_c = quantile_q(|a_c|)

The highest activations are clipped (or left to the reserve that bursts have) so that the many small ones get finer steps.

Source: B. Rueckauer et al., Conversion of continuous-valued deep networks to efficient event-driven networks, Frontiers in
Neuroscience 11 (2017), robust normalisation; per channel: S. Kim et al., Spiking-YOLO, AAAI 2020.
"""

from __future__ import annotations

import numpy as np

from converter.calibration.statistics import ChannelHistogram


def percentile_range(histogram: ChannelHistogram, percentile: float) -> np.ndarray:
    """One number per channel.

    Args:
        histogram: of the activation on the calibration samples.
        percentile: above 0, at most 100.
    """
    return histogram.magnitude_quantile(percentile / 100)
