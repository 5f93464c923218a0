"""What was recorded: kept as small integers, in any order, in memory or in files, and given back to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from snn_ops.files import read_npz, write_npz
from snn_ops.recording import Recording, RecordingError, SpikeTrack, SumTrack, Track, blocks_of, by_step

STEPS, SAMPLES, NEURONS = 7, 5, 3
HEIGHT = np.asarray([0.3, 1.7, 1e-3], np.float32)
NAME = "layer"


def filled(track: Track, values: np.ndarray, folder=None, before: dict[str, np.ndarray] | None = None) -> Recording:
    """Added in pieces of samples, from the last to the first, and of steps."""
    recording = Recording([track], STEPS, SAMPLES, folder)
    for samples in (slice(3, 5), slice(0, 3)):
        for steps in (slice(0, 2), slice(2, 6), slice(6, 7)):
            part = values[steps, samples]
            merged = part.reshape(-1, *part.shape[2:])
            now = {"sent": before["sent"][steps.start, samples]} if before else {}
            count, batch = part.shape[:2]
            where = {"first_step": steps.start, "n_steps": count, "first_sample": samples.start, "batch": batch}
            recording.add({"y": merged}, now, **where)
    return recording


@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize(
    ("largest", "kind"),
    [
        (1, np.int8),
        (127, np.int8),
        (128, np.int16),
        (2**15, np.int32),
        (2**31, None),
        (0.5, None),
        (np.nan, None),
        (np.inf, None),
    ],
)
def test_spikes_are_the_smallest_integers_that_hold_them(largest, kind, in_files, tmp_path) -> None:
    """From the piece on that needs more; what is no multiple of a height is kept as it is."""
    counts = np.random.default_rng(0).integers(-3, 4, (STEPS, SAMPLES, NEURONS)).astype(np.float32)
    counts[4, 1, 1] = largest
    values = counts * HEIGHT
    recording = filled(SpikeTrack(NAME, "y", HEIGHT), values, tmp_path if in_files else None)
    np.testing.assert_array_equal(recording[NAME], values)
    assert recording[NAME].dtype == np.float32
    assert list(tmp_path.iterdir()) == []
    if kind is None:
        assert recording.counts == recording.heights == {}
    else:
        assert recording.counts[NAME].dtype == kind
        np.testing.assert_array_equal(recording.counts[NAME], counts)
        np.testing.assert_array_equal(recording.heights[NAME], HEIGHT.reshape(1, 1, 3))


def test_float16_spikes_of_float32_heights() -> None:
    counts = np.random.default_rng(0).integers(0, 16, (STEPS, SAMPLES, NEURONS))
    values = (counts * HEIGHT).astype(np.float16)
    recording = filled(SpikeTrack(NAME, "y", HEIGHT), values)
    np.testing.assert_array_equal(recording.counts[NAME], counts)
    np.testing.assert_array_equal(recording[NAME], values)
    assert recording[NAME].dtype == np.float16


def test_binary_digits() -> None:
    digits = np.random.default_rng(0).integers(0, 2, (STEPS, SAMPLES, NEURONS))
    heights = HEIGHT * np.float32(0.5) ** np.arange(1, STEPS + 1, dtype=np.float32)[:, None, None] * np.float32(STEPS)
    recording = filled(SpikeTrack(NAME, "y", HEIGHT, is_binary=True), digits * heights)
    np.testing.assert_array_equal(recording.counts[NAME], digits)
    np.testing.assert_array_equal(recording[NAME], digits * heights)


@pytest.mark.parametrize("breaks", [None, np.nan, 1e9])
def test_changes_of_a_sum(breaks) -> None:
    """Multiples of the smallest height; where the sum is too large to tell them, or NaN, its differences."""
    rng = np.random.default_rng(0)
    finest, rest = np.asarray([3, 6, 0]), np.asarray([0, 0.25, -1], np.float32)
    heights = HEIGHT * np.float32(0.5) ** finest.astype(np.float32)
    steps = rng.integers(-2, 3, (STEPS, SAMPLES, NEURONS)).astype(np.float64)
    begun = rng.integers(-2, 3, (SAMPLES, NEURONS))
    sums = np.concatenate([begun[None], begun + np.cumsum(steps, axis=0)])
    sent = (sums / 2.0**finest).astype(np.float32)
    totals = rest + HEIGHT * sent[1:]
    if breaks is not None:
        totals[4, 1, 1] = breaks
    track = SumTrack(NAME, "y", "sent", np.zeros((), np.float32), HEIGHT, rest, finest)
    recording = filled(track, totals, before={"sent": sent})
    if breaks is None:
        np.testing.assert_array_equal(recording.counts[NAME], steps)
        np.testing.assert_array_equal(recording.heights[NAME][0, 0], heights)
        np.testing.assert_array_equal(recording[NAME], (steps * heights).astype(np.float32))
        return
    assert recording.counts == {}
    expected = steps * heights
    elsewhere = np.ones(expected.shape, bool)
    elsewhere[4:6, 1, 1] = False
    np.testing.assert_allclose(recording[NAME][elsewhere], expected[elsewhere], atol=1e-6)
    after = totals[5, 1, 1] - (rest[1] if np.isnan(breaks) else breaks)  # it begins anew from its resting value
    np.testing.assert_allclose(recording[NAME][5, 1, 1], after)


def test_values_as_they_are_and_several_rows_of_a_sample() -> None:
    """A layer that has three rows for each sample, of another type; and a run without samples."""
    values = np.random.default_rng(0).integers(0, 9, (STEPS, SAMPLES, 3, 2))
    recording = Recording([Track(NAME, "y")], STEPS, SAMPLES)
    for first in (2, 0):
        part = values[:, first : first + (3 if first else 2)]
        where = {"first_step": 0, "n_steps": STEPS, "first_sample": first, "batch": part.shape[1]}
        recording.add({"y": part.reshape(-1, 2)}, {}, **where)
    np.testing.assert_array_equal(recording[NAME], values.reshape(STEPS, SAMPLES * 3, 2))
    assert list(recording) == [NAME]
    assert len(recording) == 1
    assert Recording([Track(NAME, "y")], STEPS, 0)[NAME].shape == (STEPS, 0)


def test_a_value_without_steps_is_refused() -> None:
    assert by_step("a", np.zeros((12, 2)), 3, 4).shape == (3, 4, 2)
    with pytest.raises(
        RecordingError, match=r"^'a' cannot be recorded: its shape at 3 steps of 4 samples is \[4, 2\]$"
    ):
        by_step("a", np.zeros((4, 2)), 3, 4)


def test_blocks(tmp_path, monkeypatch) -> None:
    """Piece by piece into a file, the same as at once."""
    monkeypatch.setattr("snn_ops.recording._BLOCK", 2 * SAMPLES * NEURONS)
    assert [(b.start, b.stop) for b in blocks_of((7, 5, 3))] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    counts = np.random.default_rng(0).integers(0, 300, (STEPS, SAMPLES, NEURONS)).astype(np.float32)
    recording = filled(SpikeTrack(NAME, "y", HEIGHT), counts * HEIGHT)
    blocks = recording.blocks(NAME)
    assert (blocks.shape, blocks.dtype) == ((STEPS, SAMPLES, NEURONS), np.float32)
    write_npz(tmp_path / "s.npz", {NAME: blocks})
    np.testing.assert_array_equal(read_npz(tmp_path / "s.npz")[NAME], counts * HEIGHT)
    np.testing.assert_array_equal(recording[NAME], counts * HEIGHT)
