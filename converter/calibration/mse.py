"""Ranges of least squared error: clipping and steps balanced for the number of steps T.

    q(a)  = clip(round(a / s), 0, T max_spikes) s,   s = top / (levels T)
    top_c = argmin over a grid of   E[(q(a_c) - a_c)^2]

Source: as in Y. Li et al., A free lunch from ANN: towards efficient, accurate spiking neural networks calibration, ICML 2021.
"""

from __future__ import annotations

import numpy as np

from converter.calibration.statistics import ChannelHistogram

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
