"""Counting the spikes of a service: some samples run a second time in a model that counts, for a share of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from converter.measure.instruments import SPIKES_SUFFIX, with_spike_counts
from converter.spiking.model import SpikingModel
from snn_ops.session import Session

Feed = Mapping[str, np.ndarray]
SHARE = 0.01
"""Of the time, for counting."""
SAMPLES = 4
"""Of a batch, that are counted at most."""


class SpikeCounter:
    """A second session, whose model also says how many spikes there were.

    Answers never come from it. A count is due when what the last one took is less than `share` of the time since.

    Args:
        model: the spiking model.
        told: gets the samples, steps and spikes of a count.
        share: of the time.
        options: of `Session`.
    """

    def __init__(
        self, model: SpikingModel, told: Callable[[int, int, float], None], *, share: float = SHARE, **options: Any
    ) -> None:
        self._session = Session(with_spike_counts(model.proto), libraries=model.libraries, **options)
        self._names = [name for name in self._session.output_names if name.endswith(SPIKES_SUFFIX)]
        self._told, self._share, self._next = told, share, 0.0
        self._busy = threading.Lock()

    @property
    def is_due(self) -> bool:
        """Whether the next samples shall be counted."""
        return time.monotonic() >= self._next

    def count(self, feed: Feed, n_steps: int) -> None:
        """Counts the first samples of a batch, if that is due."""
        if self.is_due:
            part = {name: array[:SAMPLES] for name, array in feed.items()}
            self._timed(part, n_steps, lambda: self._session.run_batch(part, n_steps, self._names))

    def count_chunk(self, state: Mapping[str, np.ndarray], feed: Feed, n_steps: int, *, new_frame: bool) -> None:
        """Counts a chunk of a stream that began in this state."""
        stream = self._session.stream(self._names)
        stream.restore(state)

        def run() -> list[np.ndarray]:
            by_step = [stream.run(feed, 1, new_frame=new_frame and step == 0) for step in range(n_steps)]
            return [np.stack(arrays) for arrays in zip(*by_step, strict=True)]

        self._timed(feed, n_steps, run)

    def _timed(self, feed: Feed, n_steps: int, run: Callable[[], list[np.ndarray]]) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            begin = time.monotonic()
            spikes = sum(float(array.sum(dtype=np.float64)) for array in run())
            end = time.monotonic()
            self._next = end + (end - begin) / self._share
            self._told(len(next(iter(feed.values()))), n_steps, spikes)
        finally:
            self._busy.release()
