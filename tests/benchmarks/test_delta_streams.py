"""`python -m benchmarks.delta_streams`: its films, and how it counts the spikes of a change."""

from __future__ import annotations

import numpy as np

from benchmarks.delta_streams import DIGITS, FRAMES, IMAGES, PICTURES, UNIT, moving, spikes, table
from snn_ops.ops import OPERATORS


def test_only_the_patch_moves() -> None:
    """A sixteenth of the image, a pixel further in every frame."""
    images = np.random.default_rng(0).integers(0, 200, (2 * IMAGES, 3, 32, 32)).astype(np.uint8)
    film = moving(images, 1, 0)
    assert film.shape == (FRAMES, 3, 32, 32)
    for number, frame in enumerate(film):
        changed = np.argwhere((frame != images[1]).any(axis=0))
        assert changed.min(axis=0).tolist() == [12, number]
        assert changed.max(axis=0).tolist() == [19, number + 7]
    noisy = moving(images, 1, 2).astype(float) - film
    assert 1 < noisy.std() < 3


def test_a_change_costs_the_spikes_that_the_neuron_sends() -> None:
    """By the operator's reference, which sends as many as it needs."""
    values = np.arange(-300, 301)[None].astype(np.float32) / 64
    one, none = np.ones(values.shape[1:], np.float32), np.zeros(values.shape[1:], np.float32)
    slots = 40
    sent = OPERATORS["MultiThreshold"].run(values, slots, one, none, 6 * one, np.float32(0), 0, constant_current=1)[0]
    steps = np.diff(sent.reshape(slots, -1), axis=0, prepend=np.zeros((1, values.size)))
    expected = (steps != 0).sum(axis=0)
    small = np.abs(values[0]) <= 1
    np.testing.assert_array_equal(spikes(np.round(values * 64) / 64)[0][small], expected[small])
    assert spikes(np.array([0.0, 1 / UNIT])).tolist() == [0, 1]


def test_the_table_has_medians_and_worst_cases() -> None:
    cell = {str(noise): {"share": 0.1 * (noise + 1), "error": 0.02, "fresh_error": 0.0175} for noise in (0, 1, 2)}
    models = {name: dict(cell) for name in (*PICTURES, *DIGITS)}
    models[PICTURES[0]] = {**cell, "0": {"share": 0.9, "error": 1e-9, "fresh_error": 0.0}}
    lines = list(table({"models": models}))
    assert lines[2] == f"| {PICTURES[0]} | 0.90; 1e-07 (0) | 0.20; 2 (1.8) | 0.30; 2 (1.8) |"
    assert "| **pictures: median (worst)** | **0.10** (0.90) | **0.20** (0.20) |" in lines[10]
    assert len(lines) == 2 + len(PICTURES) + len(DIGITS) + 2
