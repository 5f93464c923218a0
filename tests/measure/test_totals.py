"""What the file says of its work, read back."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from converter.measure.totals import EightBit, WorkTotals
from snn_ops.format import FormatError, known
from tests.models import convert_model, mlp


def test_totals_are_read_back(tmp_path) -> None:
    conversion, _ = convert_model(mlp(), tmp_path, n_steps=4)
    totals = conversion.totals()
    assert known(WorkTotals, asdict(totals), "work") == totals


def test_a_file_of_an_earlier_release() -> None:
    """It has four fields, and nothing else is known."""
    old = {"multiply_adds": 10, "analog": 2, "synaptic_operations": 3.5, "energy_ratio": 0.5}
    totals = known(WorkTotals, old, "work")
    assert totals.energy_ratio == 0.5
    assert totals.eight_bit is None
    assert totals.verdict() is None


def test_a_damaged_part_is_named() -> None:
    damaged = {
        "multiply_adds": 1,
        "analog": 0,
        "synaptic_operations": 1.0,
        "energy_ratio": None,
        "eight_bit": {"accuracy": "x"},
    }
    with pytest.raises(FormatError, match="'accuracy' must be"):
        known(WorkTotals, damaged, "work")


def test_the_verdict_says_where_spikes_lose() -> None:
    eight_bit = EightBit(None, None, 0.1, 0.065, 0.03, 0.07, 0.04)
    totals = WorkTotals(100, 0, 50.0, 0.195, eight_bit=eight_bit)
    assert "takes 3 times the energy of the 8-bit network" in totals.verdict()
    assert replace(totals, energy_ratio=0.05).verdict() is None
