from __future__ import annotations

import numpy as np
import pytest

from converter.serving.spikes import SAMPLES, SpikeCounter
from converter.spiking.model import SpikingModel
from snn_ops import Session
from tests.serving.conftest import rows, write_model

LAYERS = ("first", "second")


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> SpikingModel:
    """Neurons that spike at most once a step: what is recorded is 0 where there is none."""
    folder = tmp_path_factory.mktemp("counted")
    return SpikingModel(write_model(folder, code="rate", neuron="if", max_spikes=1, correction="none", n_steps=8))


def recorded(counted: SpikingModel, x: np.ndarray, n_steps: int) -> int:
    _, recording = Session(counted.path).run(x, n_steps=n_steps, record=LAYERS)
    return sum(int(np.count_nonzero(recording[layer])) for layer in LAYERS)


def test_spikes_are_those_that_a_recording_shows(counted) -> None:
    told: list[tuple[int, int, float]] = []
    counter = SpikeCounter(counted, lambda *count: told.append(count), share=1e-9)
    x = rows(9)
    counter.count({"x": x}, 8)
    assert told == [(SAMPLES, 8, recorded(counted, x[:SAMPLES], 8))]
    assert told[0][2] > 0
    assert not counter.is_due  # the next one is due a billion times later
    counter.count({"x": x}, 8)
    assert len(told) == 1


def test_a_chunk_from_the_state_that_it_began_in(counted) -> None:
    told: list[tuple[int, int, float]] = []
    counter = SpikeCounter(counted, lambda *count: told.append(count))
    x, stream = rows(2), Session(counted.path).stream()
    stream.run(x, 5)
    counter.count_chunk(stream.save(), {"x": x}, 3, new_frame=False)
    assert told == [(2, 3, recorded(counted, x, 8) - recorded(counted, x, 5))]
