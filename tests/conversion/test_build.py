"""A spiking model by a recipe."""

from __future__ import annotations

import numpy as np
import pytest

from converter.options import load_layers
from tests.models import convert_model, initializer, mlp, samples


@pytest.mark.parametrize("schedule", ["stepped", "two-phase"])
def test_single_layers_have_their_own_neurons(schedule, tmp_path) -> None:
    """``layers``: a neuron and a range for one layer, and only for it."""
    (tmp_path / "layers.toml").write_text('[layers."first"]\nneuron = "if"\nmethod = "percentile"\npercentile = 50.0\n')
    settings = load_layers(tmp_path / "layers.toml")
    _, plain = convert_model(mlp(), tmp_path, schedule=schedule, neuron="if-burst", method="percentile")
    _, snn = convert_model(
        mlp(), tmp_path, schedule=schedule, neuron="if-burst", method="percentile", layers=settings, correction="none"
    )
    most = {n.name: {a.name: a.i for a in n.attribute}.get("max_spikes") for n in snn.graph.node}
    assert (most["first"], most["second"]) == (1, 15)
    assert np.array_equal(initializer(snn, "second_threshold"), initializer(plain, "second_threshold"))
    x = samples(mlp())
    rows = np.maximum(x @ initializer(snn, "W1") + initializer(snn, "B1"), 0)
    median = np.median(rows, axis=0)
    near = np.abs(initializer(snn, "first_threshold") - median) <= 0.05 * rows.max(axis=0)
    assert near[median > 0].all()
