"""The numbers of an estimate are those that were measured and committed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from converter.measure.typical import BY_STEPS, CHOSEN, typical
from converter.options import Options

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def quartiles(values: list[float]) -> list[float]:
    return [pytest.approx(quantile, abs=0.006) for quantile in np.quantile(values, (0.25, 0.5, 0.75))]


def test_chosen_are_quartiles_of_the_default_conversions() -> None:
    rows = [r for r in json.loads((RESULTS / "defaults" / "models.json").read_text())["rows"] if not r["refused"]]
    assert {row["schedule"] for row in rows} == {"stepped"}
    measured = {"stepped": [row["spikes"] for row in rows], "two-phase": [row["beside"][1] for row in rows]}
    for schedule, values in measured.items():
        found = CHOSEN[schedule]
        assert ([found.low, found.median, found.high], found.models) == (quartiles(values), len(values))


def test_by_steps_are_quartiles_of_the_delta_models() -> None:
    models = json.loads((RESULTS / "delta" / "models.json").read_text())["models"]
    for n_steps, found in BY_STEPS.items():
        sent = [model.get("input sent", {}).get(f"T = {n_steps}") for model in models.values()]
        values = [cell["spikes"] for cell in sent if cell]
        assert ([found.low, found.median, found.high], found.models) == (quartiles(values), len(values))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, CHOSEN["stepped"]),
        ({"schedule": "two-phase"}, CHOSEN["two-phase"]),
        ({"n_steps": 4}, BY_STEPS[4]),
        ({"n_steps": 5}, None),
        ({"exponent": 5}, None),
        ({"code": "rate"}, None),
        ({"streaming": True}, None),
    ],
)
def test_what_was_not_measured_has_no_estimate(options, expected) -> None:
    assert typical(Options(**options)) == expected
