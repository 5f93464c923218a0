"""What is timed: a call of the spiking model, a step of a stream, a call of the trained model.

Needs `snn_ops` and numpy alone, as a deployment does: `cold_start` runs it in processes that load nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike

import numpy as np

from snn_ops.feed import Model
from snn_ops.session import Session

Feed = Mapping[str, np.ndarray]
Run = Callable[[Feed], list[np.ndarray]]
"""One call; gives the model's outputs."""

SPIKING = "spiking"
"""All steps in one call of `Session.run`."""
STREAM = "stream"
"""A call is one step; the state is carried from call to call."""
TRAINED = "trained"
"""The trained model in ONNX Runtime as it is, the whole batch at once."""


@dataclass(frozen=True)
class Place:
    """Where models run: as for `snn_ops.Session`. The trained model has no operators of a backend."""

    backend: str = "native"
    provider: str = "cpu"
    provider_options: Mapping[str, str] | None = None
    threads: int | None = None

    def session(self, model: Model, *, trained: bool = False, profile: str | PathLike[str] | None = None) -> Session:
        """A session there; see `snn_ops.Session`."""
        return Session(
            model,
            backend="functions" if trained else self.backend,
            provider=self.provider,
            provider_options=self.provider_options,
            threads=self.threads,
            profile=profile,
        )


def run_of(session: Session, system: str, n_steps: int = 1, fixed_batch: int | None = None) -> Run:
    """How a system runs.

    Args:
        session: of its model.
        system: `SPIKING`, `STREAM` or `TRAINED`.
        n_steps: time steps of `SPIKING`.
        fixed_batch: how many samples the trained model takes at once; None: any number.
    """
    if system == STREAM:
        stream = session.stream()
        return lambda feed: stream.run(feed, 1)
    if system == SPIKING:
        return lambda feed: session.run(feed, n_steps=n_steps)
    return _trained(session, fixed_batch)


def _trained(session: Session, fixed_batch: int | None) -> Run:
    def whole(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        result: list[np.ndarray] = session.ort.run(None, arrays)
        return result

    def run(feed: Feed) -> list[np.ndarray]:
        arrays = dict(zip(session.input_names, feed.values(), strict=True))
        count = len(next(iter(arrays.values())))
        if fixed_batch is None or count == fixed_batch:
            return whole(arrays)
        pieces = []
        for start in range(0, count, fixed_batch):
            rows = np.arange(start, start + fixed_batch) % count  # the last piece is filled up
            pieces.append(whole({name: array[rows] for name, array in arrays.items()}))
        return [np.concatenate(parts)[:count] for parts in zip(*pieces, strict=True)]

    return run
