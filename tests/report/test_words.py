"""A conversion in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converter.report.words import headline, large, next_steps, share, stays_analog, tiles, times
from tests.report.fronts import front


def test_three_sentences_say_what_it_is_what_it_loses_and_what_it_costs(conversion) -> None:
    what, loses, costs = headline(conversion)
    assert "3 layers of spiking neurons (IF), 8 time steps, rate code" in what
    assert f"On {conversion.measured.samples} samples held back from calibration" in loses
    assert times(conversion.work.energy_ratio) in costs
    assert "8-bit integers" in costs


def test_accuracy_is_told_where_there_are_labels(conversion) -> None:
    with_front = replace(conversion, front=front())
    assert "the trained network's class for 99.0 %, and is right on 90.0 %, 1 points less" in headline(with_front)[1]
    assert [tile.label for tile in tiles(with_front)] == ["same class", "accuracy", "energy, estimated", "answer after"]


def test_other_points_of_the_front_are_offered_with_their_options(conversion) -> None:
    options = {step.text.split(":")[0]: step.options for step in next_steps(replace(conversion, front=front()))}
    assert options["More exact"] == "--code delta --steps 4"  # the conversion's own code is another
    assert options["Cheaper"].endswith("--steps 1")
    assert options["The other schedule"].endswith("--schedule two-phase --exponent 5")


def test_what_is_missing_is_asked_for(conversion) -> None:
    texts = [step.text for step in next_steps(conversion)]
    assert any(text.startswith("Give labels") for text in texts)
    assert any(text.startswith("Give more calibration samples: there were") for text in texts)


def test_what_stays_analog_is_counted(conversion) -> None:
    part = conversion.work.analog_multiply_adds / conversion.work.multiply_adds
    assert part > 0
    assert stays_analog(conversion).startswith(f"{share(part)} of the trained network's multiply-adds stay")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.4275, "43 %"), (0.9958, "99.6 %"), (1, "100 %"), (0.99999, "100.00 %"), (None, "-")],
)
def test_shares(ratio, text) -> None:
    assert share(ratio) == text


def test_large_numbers_and_multiples() -> None:
    assert [large(n) for n in (12, 11_574_592, 4e9)] == ["12", "11.6 million", "4 billion"]
    assert [times(n) for n in (0.43, 6.58, 190.2)] == ["43 % of", "6.6 times", "190 times"]
