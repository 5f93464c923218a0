"""What layers send in every step of a run, kept as the smallest integers that say it exactly."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from snn_ops.files import Blocks

_INTEGERS = (np.int8, np.int16, np.int32)
_MOST_EXACT = 2**21
"""Heights of a sum; beyond, float32 has no digits left to tell one from the next."""
_NOTHING = np.zeros(1)
_BLOCK = 1 << 22
"""Numbers that are turned from integers into heights at once."""


class RecordingError(ValueError):
    """There is no such layer, or nothing to record of it; the message is one line that names it."""


@dataclass(frozen=True)
class Track:
    """A value at every step, kept as it is.

    Attributes:
        name: as the caller asked for it.
        output: of the recording model, ``[T*B, ...]``; "" for a state.
    """

    name: str
    output: str

    def floats(self, values: np.ndarray, before: np.ndarray) -> np.ndarray:
        """What is kept where integers do not do: ``[steps, B, ...]``.

        Args:
            values: what the model gives at these steps, ``[steps, B, ...]``.
            before: the state before them; see `SumTrack`.
        """
        return values

    def heights(self, values: np.ndarray, n_steps: int) -> np.ndarray | None:
        """The height of 1, to be multiplied by integers ``[n_steps, B, ...]``; None: no integers do.

        Args:
            values: as for `floats`.
            n_steps: of the whole run.
        """
        return None

    def integers(self, values: np.ndarray, before: np.ndarray, heights: np.ndarray) -> np.ndarray | None:
        """Integers that, multiplied by the heights, are what the layer sends; None: there are none."""
        return None


@dataclass(frozen=True)
class StateTrack(Track):
    """A state after every step, kept as it is.

    Attributes:
        states: outputs of the model of which it is the sum: the state and, where it has one, its base.
    """

    states: tuple[str, ...]


@dataclass(frozen=True)
class SpikeTrack(Track):
    """Spikes, each of a known height, several of them in a step.

    Attributes:
        height: broadcasts against ``[B, ...]``.
        is_binary: it is for step t T times as high, times 2^-(t+1).
    """

    height: np.ndarray
    is_binary: bool = False

    def heights(self, values: np.ndarray, n_steps: int) -> np.ndarray | None:  # noqa: D102
        height = _aligned(self.height, values)
        if not self.is_binary:
            return height
        digits = np.ldexp(height.dtype.type(1), -np.arange(1, n_steps + 1)).reshape(-1, *[1] * (height.ndim - 1))
        each: np.ndarray = height * digits * height.dtype.type(n_steps)
        return each

    def integers(  # noqa: D102
        self, values: np.ndarray, before: np.ndarray, heights: np.ndarray
    ) -> np.ndarray | None:
        per_value = np.divide(1, heights, out=np.zeros_like(heights), where=heights != 0)  # 0: it never spikes
        whole = values * per_value
        np.rint(whole, out=whole)
        return whole if np.array_equal((whole * heights).astype(values.dtype), values) else None


@dataclass(frozen=True)
class SumTrack(Track):
    """Spikes of which the model gives the running sum: the changes from step to step, a multiple of the smallest height.

    Attributes:
        sent: the input with the sum before the first step, in thresholds.
        at_rest: the same where a run begins.
        threshold, resting_value: of MultiThreshold.
        finest: the exponent of the smallest height, after the last refinement; integers.
    """

    sent: str
    at_rest: np.ndarray
    threshold: np.ndarray
    resting_value: np.ndarray
    finest: np.ndarray

    def floats(self, values: np.ndarray, before: np.ndarray) -> np.ndarray:  # noqa: D102
        rest = self.resting_value
        start = np.broadcast_to(rest + self.threshold * before, values.shape[1:]).astype(values.dtype)
        earlier = np.concatenate([start[None], values[:-1]])
        return values - np.where(np.isfinite(earlier), earlier, rest.astype(values.dtype))

    def heights(self, values: np.ndarray, n_steps: int) -> np.ndarray | None:  # noqa: D102
        if values.dtype != self.threshold.dtype:  # float16 has too few digits to tell a sum's last spike
            return None
        return _aligned(np.ldexp(self.threshold, -self.finest), values)

    def integers(  # noqa: D102
        self, values: np.ndarray, before: np.ndarray, heights: np.ndarray
    ) -> np.ndarray | None:
        per_threshold = np.ldexp(1.0, self.finest)
        exact = (values.astype(np.float64) - self.resting_value) / self.threshold * per_threshold
        sums, offset = np.rint(exact), np.abs(self.resting_value / self.threshold * per_threshold)
        is_clear = (np.abs(exact - sums) < 0.25) & (np.abs(sums) + offset < _MOST_EXACT)
        if not is_clear.all():
            return None
        first = np.broadcast_to(np.rint(before * per_threshold), values.shape[1:])
        changes: np.ndarray = np.diff(sums, axis=0, prepend=first[None])
        return changes


class Recording(Mapping[str, np.ndarray]):
    """What was recorded, by the names that were asked for: ``[T, N, ...]``, for every step and sample.

    Spikes have their heights, in the unit of the activation that the neurons stand for. They are kept as integers, `counts`,
    and multiplied by `heights` when they are asked for, so that ``recording["layer"]`` takes memory only then. What is no
    multiple of a height, such as a voltage, is kept as it is.

    Args:
        tracks: what to record.
        n_steps: T.
        samples: N.
        folder: keeps the arrays in temporary files there, which vanish with them; default: in memory.
    """

    def __init__(
        self, tracks: Sequence[Track], n_steps: int, samples: int, folder: str | PathLike[str] | None = None
    ) -> None:
        self._kept = {track.name: _Kept(track, n_steps, samples, folder) for track in tracks}

    def __getitem__(self, name: str) -> np.ndarray:
        kept = self._kept[name]
        if kept.heights is None:
            return kept.array
        whole = np.empty(kept.array.shape, kept.dtype)
        for steps in blocks_of(whole.shape):
            whole[steps] = kept.block(steps)
        return whole

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def counts(self) -> dict[str, np.ndarray]:
        """How many spikes of `heights` there are, ``[T, N, ...]``, below 0 where they are taken back or negative.

        Of a neuron with heights threshold 2^-j, how many of the smallest height a step's spikes are.
        """
        return {name: kept.array for name, kept in self._kept.items() if kept.heights is not None}

    @property
    def heights(self) -> dict[str, np.ndarray]:
        """The height of a spike; broadcasts against `counts`."""
        return {name: kept.heights for name, kept in self._kept.items() if kept.heights is not None}

    def blocks(self, name: str) -> Blocks:
        """``recording[name]`` piece by piece, for `files.write_npz`."""
        kept = self._kept[name]
        pieces = (kept.block(steps) for steps in blocks_of(kept.array.shape))
        return Blocks(kept.array.shape, kept.dtype, pieces)

    def add(
        self,
        found: Mapping[str, np.ndarray],
        before: Mapping[str, np.ndarray],
        *,
        first_step: int,
        n_steps: int,
        first_sample: int,
        batch: int,
    ) -> None:
        """Keeps some steps of some samples.

        Args:
            found: by output, what the model gave.
            before: by input, the states before these steps; without an entry, they are at rest.
            first_step: the first of these steps.
            n_steps: how many there are.
            first_sample: the first of these samples.
            batch: how many there are.
        """
        for kept in self._kept.values():
            track = kept.track
            if isinstance(track, StateTrack):
                parts = [found[name] for name in track.states]
                values = np.sum(parts, axis=0, dtype=np.float64).astype(parts[0].dtype)[None]
            else:
                values = by_step(track.name, found[track.output], n_steps, batch)
            sent = before.get(track.sent, track.at_rest) if isinstance(track, SumTrack) else _NOTHING
            kept.add(values, sent, first_step, first_sample, batch)


class _Kept:
    """What is kept of one track.

    Attributes:
        array: ``[T, N, ...]``.
        heights: to be multiplied by; None: the array is the values themselves.
        dtype: of the values.
    """

    def __init__(self, track: Track, n_steps: int, samples: int, folder: str | PathLike[str] | None) -> None:
        self.track = track
        self._n_steps, self._samples, self._folder = n_steps, samples, folder
        self._is_empty = True
        self.dtype = np.dtype(np.float32)
        self.heights: np.ndarray | None = None
        self.array = np.zeros((n_steps, samples), self.dtype)

    def add(self, values: np.ndarray, before: np.ndarray, first_step: int, first_sample: int, batch: int) -> None:
        """Keeps some steps of some samples; see `Recording.add`."""
        rows = values.shape[1] // max(batch, 1)  # of a sample
        if self._is_empty:
            self._is_empty, self.dtype = False, values.dtype
            self.heights = self.track.heights(values, self._n_steps)
            kind = np.dtype(_INTEGERS[0]) if self.heights is not None else self.dtype
            self.array = self._zeros((self._n_steps, self._samples * rows, *values.shape[2:]), kind)
        steps = slice(first_step, first_step + len(values))
        new = self._integers(values, before, steps)
        if new is None:
            self._become_floats()
            new = self.track.floats(values, before)
        self.array[steps, first_sample * rows : (first_sample + batch) * rows] = new

    def block(self, steps: slice) -> np.ndarray:
        """The values at some steps."""
        if self.heights is None:
            return self.array[steps]
        values: np.ndarray = (self.array[steps] * _at(self.heights, steps)).astype(self.dtype)
        return values

    def _integers(self, values: np.ndarray, before: np.ndarray, steps: slice) -> np.ndarray | None:
        """The values as integers; the array has room for them."""
        if self.heights is None:
            return None
        whole = self.track.integers(values, before, _at(self.heights, steps))
        if whole is None or not np.isfinite(whole).all():
            return None
        least, most = int(whole.min(initial=0)), int(whole.max(initial=0))
        for kind in _INTEGERS:
            if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
                if np.dtype(kind).itemsize > self.array.itemsize:
                    self._copy(np.dtype(kind), lambda steps: self.array[steps])
                return whole
        return None

    def _become_floats(self) -> None:
        """Keeps values instead of integers, also what was kept before."""
        if self.heights is not None:
            self._copy(self.dtype, self.block)
            self.heights = None

    def _copy(self, kind: np.dtype, block: Callable[[slice], np.ndarray]) -> None:
        """Puts the array into one of another type."""
        new = self._zeros(self.array.shape, kind)
        for steps in blocks_of(self.array.shape):
            new[steps] = block(steps)
        self.array = new

    def _zeros(self, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        if self._folder is None or 0 in shape:
            return np.zeros(shape, kind)
        with tempfile.TemporaryFile(dir=self._folder) as file:  # the mapping keeps what has no name any more
            return np.memmap(file, kind, "w+", shape=shape)


def _at(heights: np.ndarray, steps: slice) -> np.ndarray:
    """The heights at some steps: they are the same at all, or differ from step to step."""
    return heights if len(heights) == 1 else heights[steps]


def _aligned(parameter: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A parameter that broadcasts against ``[B, ...]``, with all axes of ``[T, B, ...]``."""
    return parameter.reshape((1,) * (values.ndim - parameter.ndim) + parameter.shape)


def blocks_of(shape: Sequence[int]) -> Iterator[slice]:
    """The steps of an array ``[T, ...]`` in pieces that take little memory."""
    size = max(1, _BLOCK // max(1, math.prod(shape[1:])))
    for first in range(0, shape[0], size):
        yield slice(first, first + size)


def by_step(name: str, array: np.ndarray, n_steps: int, batch: int) -> np.ndarray:
    """``[T*B, ...] -> [T, B, ...]``.

    Raises:
        RecordingError: it has no row for each step and sample.
    """
    if array.ndim == 0 or len(array) % max(1, n_steps * batch):
        raise RecordingError(
            f"{name!r} cannot be recorded: its shape at {n_steps} steps of {batch} samples is {list(array.shape)}"
        )
    return array.reshape(n_steps, len(array) // n_steps, *array.shape[1:])
