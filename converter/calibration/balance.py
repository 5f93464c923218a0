"""Local threshold balancing: the range grows by twice the mean of what it still clips.

    top_c <- top_c + 2 E[max(a_c - top_c, 0)],   from 0, ITERATIONS times

The gradient of E[max(a - top, 0)^2] towards a range that clips little but is not stretched by rare activations: as the excess
vanishes, so does the growth.

Source: T. Bu et al., Inference-scale complexity in ANN-SNN conversion for high-performance and low-power applications,
CVPR 2025.
"""

from __future__ import annotations

import numpy as np

from converter.calibration.statistics import ChannelHistogram

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
