"""The floor under a layer's time."""

from __future__ import annotations

import pytest

from converter.bench.rates import Rates, measure_rates

RATES = Rates({"Gemm": 2e9, "Conv": 4e9}, {1_000: 1e9, 100_000: 1e10})


@pytest.mark.parametrize(
    ("multiply_adds", "bytes_moved", "seconds"),
    [
        (8_000_000, 0, 2e-3),  # at the best rate
        (0, 1_000, 1e-6),
        (0, 5_000, 5e-6),  # 1,000 is nearer in proportion
        (0, 50_000, 5e-6),
        (0, 10_000_000, 1e-3),
        (8_000_000, 10_000_000, 2e-3),  # whichever takes longer
        (400, 10_000_000, 1e-3),
        (0, 0, 0.0),
    ],
)
def test_floors(multiply_adds, bytes_moved, seconds) -> None:
    assert RATES.floor(multiply_adds, bytes_moved) == pytest.approx(seconds)


def test_this_machine_has_rates() -> None:
    rates = measure_rates(1)
    assert all(rate > 0 for rate in (*rates.multiply_adds.values(), *rates.copies.values()))
    assert min(rates.copies) <= 1 << 16 and max(rates.copies) >= 1 << 26
