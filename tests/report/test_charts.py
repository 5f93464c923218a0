"""What the page draws, as numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from converter.conversion.result import Front, Point
from converter.report.charts import name_of, page_data
from tests.report.fronts import front


@pytest.fixture(scope="module")
def data(conversion) -> dict:
    return page_data(conversion)


def test_it_is_json_without_what_json_has_not(data) -> None:
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_the_layers_say_what_the_conversion_found(conversion, data) -> None:
    work = conversion.work
    for shown, layer in zip(data["layers"], conversion.layers, strict=True):
        assert shown["name"] == layer.name
        assert shown["error"] == pytest.approx(100 * layer.relative_error, rel=1e-3)
        assert shown["operations"] == pytest.approx(layer.synaptic_operations, rel=1e-3)
        assert shown["share"] == pytest.approx(100 * layer.synaptic_operations * 0.9 / work.picojoule, rel=1e-3)
    # both layers go through Max, an island, so the layer behind it takes numbers: nothing is fed by their spikes
    assert sum(shown["operations"] for shown in data["layers"]) == pytest.approx(work.synaptic_operations, rel=1e-3)


def test_energy_adds_up_to_the_ratio_of_the_conversion(conversion, data) -> None:
    energy, assumed = data["energy"], data["energy"]["assumed"]
    spiking = energy["operations"] * assumed["addition"] + energy["executed"] * assumed["multiply_add"]
    trained = energy["multiply_adds"] * assumed["multiply_add"]
    assert spiking / trained == pytest.approx(conversion.work.energy_ratio, rel=1e-3)
    by_layer = energy["by_layer"]
    assert sum(layer["multiply_adds"] for layer in by_layer) == energy["multiply_adds"]
    assert sum(layer["operations"] for layer in by_layer) == pytest.approx(energy["operations"], rel=1e-3)


def test_marks_are_the_spikes(conversion, data) -> None:
    firing = conversion.traces.layers[0].firings[0]
    marks = data["layers"][0]["firings"][0]["marks"]
    assert sum(abs(mark[2]) for mark in marks) == abs(firing.counts).sum()
    for step, row, count, worth in marks:
        assert firing.counts[step - 1, row] == count
        assert worth == pytest.approx(firing.sent[step - 1, row], rel=1e-3)


def test_points_of_the_front(conversion) -> None:
    data = page_data(replace(conversion, front=front()))
    assert [family["name"] for family in data["front"]["families"]] == ["delta code, stepped", "delta code, two-phase"]
    assert data["front"]["taken"]["lost"] == pytest.approx(1.0)
    assert data["outputs"]["x"] == [1, 2, 4]
    assert data["outputs"]["mark"] == 2
    assert data["outputs"]["agreement"] == [90.0, 99.0, 100.0]


def test_without_classes_the_error_is_what_is_lost(conversion) -> None:
    points = [replace(point, agreement=None) for point in front().points]
    values: Front = replace(front(), points=points, min_agreement=None, max_error=0.05)
    data = page_data(replace(conversion, front=values))
    assert data["front"]["taken"]["lost"] == pytest.approx(4.0)
    assert data["front"]["limit"] == 5.0
    assert data["outputs"]["agreement"] is None


def test_names_are_bounded_and_cannot_turn_a_page() -> None:
    assert name_of("a\u202eb\nc\x00") == "a?b\nc?"
    assert len(name_of("x" * 10_000)) == 200
    assert isinstance(front().chosen, Point)
