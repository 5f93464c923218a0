"""What the trained model's values look like on the calibration samples, channel by channel, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.engine.local import Engine, in_order
from converter.errors import RefusedError
from converter.graph.build import maker_of
from converter.graph.run import Feed, Probe, batches, start_quietly, with_outputs
from converter.io.progress import Progress, silent
from converter.io.samples import Samples

BINS = 2048
"""Per channel, over a range of at most twice the largest value on each side."""
MOST_VALUES = 4096
"""Values that a channel contributes per batch; larger maps are thinned out evenly."""
HISTOGRAM_BYTES = 256 << 20
"""Histograms held at once; models with more channels pass over the samples more than once."""
VALUE_BYTES = 128 << 20
"""Values held at once; models of large images run fewer samples together."""
BATCH = 32
"""Samples run together."""


class ChannelHistogram:
    """Counts of a value's entries, a row per channel. The range grows with the data: it doubles, and bins merge in pairs."""

    def __init__(self, channels: int) -> None:
        self.counts = np.zeros((channels, BINS), np.int32)
        self.limit = np.zeros(channels)
        """Bins cover [-limit, limit]."""

    def add(self, values: np.ndarray) -> None:
        """Adds ``values`` [channels, n]."""
        peak = np.abs(values).max(axis=1, initial=0)
        first = (self.limit == 0) & (peak > 0)
        self.limit[first] = peak[first]
        while (too_small := peak > self.limit).any():
            self._double(too_small)
        scale = np.divide(BINS / 2, self.limit, out=np.zeros_like(self.limit), where=self.limit > 0)
        index = np.clip((values * scale[:, None] + BINS / 2).astype(np.int64), 0, BINS - 1)
        index += np.arange(len(values))[:, None] * BINS
        self.counts += (
            np.bincount(index.ravel(), minlength=self.counts.size).reshape(self.counts.shape).astype(np.int32)
        )

    def merge(self, other: ChannelHistogram) -> None:
        """Adds the counts of values that come after these; `other` began with the limits that `Peaks.limits` gave it."""
        unseen = self.limit == 0  # zeros alone, in the bin that doubling keeps
        self.limit[unseen] = other.limit[unseen]
        while (small := self.limit < other.limit).any():
            self._double(small)
        self.counts += other.counts

    def quantile(self, q: float) -> np.ndarray:
        """The value below which a share `q` of a channel's entries lies, per channel."""
        return self._edges(self.counts, q)

    def magnitudes(self, bins: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """Absolute values and the shares of a channel's entries that have them, ``[channels, bins]`` each."""
        half = BINS // 2
        counts = self.counts[:, half:] + self.counts[:, :half][:, ::-1]
        counts = counts.reshape(len(counts), bins, -1).sum(axis=2)
        total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        values = (np.arange(bins) + 0.5) / bins * self.limit[:, None]
        return values, counts / total

    def magnitude_quantile(self, q: float) -> np.ndarray:
        """The same for the entries' absolute values."""
        half = BINS // 2
        folded = np.zeros_like(self.counts)
        folded[:, half:] = self.counts[:, half:] + self.counts[:, :half][:, ::-1]
        return self._edges(folded, q)

    def _edges(self, counts: np.ndarray, q: float) -> np.ndarray:
        cumulative = counts.cumsum(axis=1)
        wanted = q * cumulative[:, -1:]
        bin_index = (cumulative < wanted).sum(axis=1)
        before = np.where(
            bin_index > 0, np.take_along_axis(cumulative, np.maximum(bin_index - 1, 0)[:, None], 1)[:, 0], 0
        )
        inside = np.take_along_axis(counts, np.minimum(bin_index, BINS - 1)[:, None], 1)[:, 0]
        fraction = np.divide(wanted[:, 0] - before, inside, out=np.zeros(len(counts)), where=inside > 0)
        edges: np.ndarray = (bin_index + fraction - BINS / 2) * self.limit / (BINS / 2)
        return edges

    def _double(self, rows: np.ndarray) -> None:
        old = self.counts[rows]
        quarter = BINS // 4
        self.counts[rows] = 0
        self.counts[np.ix_(rows, np.arange(quarter, 3 * quarter))] = old[:, ::2] + old[:, 1::2]
        self.limit[rows] *= 2


@dataclass(frozen=True)
class Peaks:
    """What the range of a histogram follows from, per channel.

    Attributes:
        first: the largest magnitude in the first batch that has one above 0.
        largest: of all.
    """

    first: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Peaks:
        """Of a batch, ``[channels, n]``."""
        peak = np.abs(values).max(axis=1, initial=0).astype(np.float64)
        return cls(peak, peak)

    def then(self, later: Peaks) -> Peaks:
        """Of these and those after them."""
        return Peaks(np.where(self.first == 0, later.first, self.first), np.maximum(self.largest, later.largest))

    def limits(self, before: np.ndarray) -> np.ndarray:
        """The limits of a histogram that had these before."""
        limit = np.where(before == 0, self.first, before)
        while (small := self.largest > limit).any():
            limit[small] *= 2
        return limit


@dataclass(frozen=True)
class Piece:
    """Some calibration samples, for a worker.

    Attributes:
        feed: of the trained model.
        limits: of the histograms when they come to these samples, by value; None: peaks are wanted.
    """

    feed: dict[str, np.ndarray]
    limits: dict[str, np.ndarray] | None


@dataclass(frozen=True)
class Watch:
    """All that a worker needs to look at values of a model; called once in each process.

    Attributes:
        proto: the model whose outputs are the values.
        axes: the axis of the channels, by value.
        batch_size: samples run together.
    """

    proto: bytes
    axes: dict[str, int | None]
    batch_size: int

    def __call__(self) -> Callable[[Piece], dict[str, Any]]:
        """Starts a session."""
        session = start_quietly(self.proto, threads=1)
        taken = {i.name for i in (*session.get_inputs(), *session.get_overridable_initializers())}

        def look(piece: Piece) -> dict[str, Any]:
            """Peaks, or histograms, by value."""
            found: dict[str, Any] = {}
            for batch in batches(piece.feed, self.batch_size):
                arrays = session.run(list(self.axes), {k: v for k, v in batch.items() if k in taken})
                for (name, axis), array in zip(self.axes.items(), arrays, strict=True):
                    values = channel_rows(array, axis)
                    if piece.limits is None:
                        peaks = Peaks.of(values)
                        found[name] = found[name].then(peaks) if name in found else peaks
                        continue
                    if name not in found:
                        found[name] = ChannelHistogram(len(values))
                        found[name].limit = piece.limits[name].copy()
                    found[name].add(values)
            return found

        return look


PIECE_BATCHES = 8
"""Batches that a worker looks at together."""


@dataclass(frozen=True)
class Observed:
    """A value to watch and the axis of its channels."""

    value: ir.Value
    channel_axis: int | None


class Observations:
    """Histograms of values of a model on calibration samples. Samples that were seen already are not run again.

    Args:
        model: the trained model.
        wanted: the values.
        engine: where it is run, in two passes, one for the ranges; default: here, in one. The histograms are the same.
    """

    def __init__(self, model: ir.Model, wanted: Iterable[Observed], engine: Engine | None = None) -> None:
        self._model, self.engine = model, engine
        self._wanted = list({str(item.value.name): item for item in wanted}.values())
        self._histograms: dict[str, ChannelHistogram] = {}
        self._seen = 0

    def __getitem__(self, value: ir.Value) -> ChannelHistogram:
        """The histogram of a wanted value."""
        return self._histograms[str(value.name)]

    def clear(self) -> None:
        """Forgets everything: of a large model, the histograms are as large as its weights."""
        self._histograms.clear()
        self._seen = 0

    def see(self, samples: Samples, progress: Progress = silent) -> None:
        """Adds the samples after those that were seen already.

        Args:
            samples: they begin with those seen before.
            progress: called with the samples seen.

        Raises:
            RefusedError: the model computes a value that is not finite.
        """
        if len(samples) <= self._seen:
            return
        feed = samples.split(self._seen)[1].feed
        for group, batch_size in _groups(self._model, self._wanted, feed):
            if self.engine is not None:
                self._look(self.engine, group, batch_size, feed, progress)
                continue
            probe = Probe(self._model, [item.value for item in group])
            for batch in batches(feed, batch_size):
                self._add(group, probe.run(batch))
                self._seen += len(next(iter(batch.values())))
                progress("calibrating", min(self._seen, len(samples)), len(samples))
        self._seen = len(samples)  # groups run over the same samples

    def _look(self, engine: Engine, group: Sequence[Observed], batch_size: int, feed: Feed, progress: Progress) -> None:
        """As `_add` for all samples, on the engine's workers: first where the ranges end, then what lies in them."""
        values = {str(item.value.name): item for item in group}
        axes = {name: item.channel_axis for name, item in values.items()}
        watch = Watch(with_outputs(self._model, [v.value for v in group]).SerializeToString(), axes, batch_size)
        pieces = [Piece(part, None) for part in batches(feed, batch_size * PIECE_BATCHES)]
        limits = {name: histogram.limit for name, histogram in self._histograms.items() if name in values}
        bounded = []
        for piece, peaks in zip(pieces, in_order(engine.map(watch, pieces)), strict=True):
            for name, each in peaks.items():
                _check_finite(values[name], each.largest)
                limits.setdefault(name, np.zeros(len(each.largest)))
            bounded.append(Piece(piece.feed, dict(limits)))
            limits = {name: each.limits(limits[name]) for name, each in peaks.items()}
        for number, found in enumerate(in_order(engine.map(watch, bounded)), 1):
            for name, histogram in found.items():
                self._histograms.setdefault(name, ChannelHistogram(len(histogram.limit))).merge(histogram)
            progress("calibrating", number, len(bounded))

    def _add(self, group: Sequence[Observed], arrays: Mapping[str, np.ndarray]) -> None:
        for item in group:
            name = str(item.value.name)
            values = channel_rows(arrays[name], item.channel_axis)
            _check_finite(item, values)
            self._histograms.setdefault(name, ChannelHistogram(len(values))).add(values)


def _check_finite(item: Observed, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise RefusedError(
            "the trained model computes values that are not finite on the calibration samples",
            node=maker_of(item.value),
        )


def _groups(model: ir.Model, wanted: Sequence[Observed], feed: Feed) -> list[tuple[list[Observed], int]]:
    """The values in groups whose histograms may be held at once, each with a batch size whose values may be."""
    first = {name: array[:1] for name, array in feed.items()}
    arrays = Probe(model, [item.value for item in wanted]).run(first)
    groups: list[tuple[list[Observed], int]] = []
    pending = list(wanted)
    while pending:
        count, counted, held = 0, 0, 0
        for item in pending:
            array = arrays[str(item.value.name)]
            counted += _channels(array, item.channel_axis) * BINS * 4
            if count and counted > HISTOGRAM_BYTES:
                break
            held += array.nbytes
            count += 1
        groups.append((pending[:count], max(1, min(BATCH, VALUE_BYTES // max(held, 1)))))
        pending = pending[count:]
    return groups


def _channels(array: np.ndarray, axis: int | None) -> int:
    return array.shape[axis] if array.ndim > 1 and axis is not None else 1


def channel_rows(array: np.ndarray, channel_axis: int | None, most: int = MOST_VALUES) -> np.ndarray:
    """``[samples, ...] -> [channels, n]``, thinned out to at most about `most` values a channel."""
    if array.ndim < 2:
        return array.reshape(1, -1)
    if channel_axis is None:
        rows = array.reshape(1, -1)
    else:
        rows = np.moveaxis(array, channel_axis, 0).reshape(array.shape[channel_axis], -1)
    stride = rows.shape[1] // most | 1  # odd, so that it does not fall on the same column of every row of pixels
    return rows[:, ::stride]
