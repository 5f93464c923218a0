"""Bytes counted by hand."""

from __future__ import annotations

import pytest

from converter.measure.cost import LayerWork, Work
from converter.measure.memory import memory_traffic


def work(**changes) -> Work:
    layer = LayerWork("l", 640, 0, 0, {"n": 100.0}, weights=640, inputs=20, outputs=32, width=32)
    values = {"multiply_adds": 640, "analog_multiply_adds": 0, "synaptic_operations": 100.0, "by_layer": {"n": 100.0}}
    return Work(**{**values, "spikes": 5.0, "neurons": 20, "neuron_updates": 80, "layers": (layer,), **changes})


def test_a_matrix() -> None:
    """20 -> 32 on an array of 16 x 16, by events, and in 8 bits."""
    found = memory_traffic(work())
    sums = 640 / 16 * 8
    assert found.trained == 640 * 4 + 640 / 16 * 4 + sums + 32 * 4
    assert found.eight_bit == 640 + 640 / 16 + sums + 32
    assert found.spiking == 100 * (4 + 8) + 80 * 8 + 5 * 4
    assert found.energy_spiking == pytest.approx(10 / 8 * found.spiking)  # all of it fits into 8 KB


def test_a_layer_that_stays_moves_what_it_does_in_every_step() -> None:
    stays = LayerWork("l", 640, 640, 2560, {}, weights=640, inputs=20, outputs=32, width=32)
    alone = memory_traffic(work(layers=(stays,), spikes=0.0, neuron_updates=0))
    assert alone.spiking == 4 * alone.trained


def test_what_does_not_fit_into_a_small_memory_takes_more() -> None:
    large = LayerWork("l", 64000, 0, 0, {"n": 100.0}, weights=64000, inputs=2000, outputs=32, width=32)
    found = memory_traffic(work(multiply_adds=64000, layers=(large,)))
    assert found.energy_spiking == pytest.approx(100 * (4 * 100 / 8 + 8 * 10 / 8) + (80 * 8 + 5 * 4) * 10 / 8)
