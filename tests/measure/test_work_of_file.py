"""The count of a file's spikes against that of its conversion, which knows the trained model, on the same samples."""

from __future__ import annotations

import numpy as np
import pytest

from converter.io.samples import Samples
from converter.measure.evaluation import evaluate
from converter.measure.work_of_file import work_of_file
from converter.spiking.model import SpikingModel
from tests.measure.test_cost import ATTENTION, HELD_OUT, IMAGES, image_network
from tests.models import convert_model, mlp, samples, text_model

COUNTED = (
    "multiply_adds",
    "analog",
    "executed",
    "synapses",
    "synaptic_operations",
    "spikes_per_synapse",
    "energy_ratio",
    "spikes",
    "neuron_updates",
)
WAYS = {
    "rate": {"code": "rate", "n_steps": 6},
    "rate, two-phase": {"code": "rate", "n_steps": 6, "schedule": "two-phase"},
    "rate, stream": {"code": "rate", "n_steps": 6, "streaming": True},
    "delta": {"code": "delta"},
    "delta, input analog, skips exact": {"code": "delta", "analog_input": True, "exact_skips": True},
    "delta, two-phase": {"code": "delta", "schedule": "two-phase"},
    "delta, stream": {"code": "delta", "streaming": True},
}
MODELS = {
    "mlp": mlp,
    "skip": lambda: image_network(*IMAGES["sum of two layers, of which one also goes on elsewhere"]),
    "pool": lambda: image_network(*IMAGES["AveragePool with windows that overlap"]),
    "attention": lambda: text_model(ATTENTION),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_it_is_what_the_conversion_counted(model, way, tmp_path) -> None:
    trained = MODELS[model]()
    conversion, snn = convert_model(trained, tmp_path, **WAYS[way])
    held_out = Samples({"x": samples(trained)[-HELD_OUT:]}, None)
    n_steps = conversion.options.n_steps
    spiking = SpikingModel("m.snn.onnx", snn)
    found = evaluate(spiking, held_out, [n_steps])
    work, expected = work_of_file(spiking, found.spikes, held_out.shapes_of_one, n_steps), conversion.totals()
    for name in COUNTED:
        assert getattr(work, name) == pytest.approx(getattr(expected, name), rel=1e-6), name
    assert work.spikes == pytest.approx(sum(float(count.sum()) for count in found.spikes.values()))


def test_other_samples_cost_what_they_spike(tmp_path) -> None:
    """By hand, of samples that calibration has not seen."""
    trained = mlp()
    _, snn = convert_model(trained, tmp_path, code="rate", n_steps=6)
    spiking = SpikingModel("m.snn.onnx", snn)
    x = samples(trained)
    some, none = (Samples({"x": array}, None) for array in (x[:4], np.full_like(x[:4], -1e3)))
    found = [evaluate(spiking, each, [1, 6]) for each in (some, none)]
    costs = [work_of_file(spiking, each.spikes, some.shapes_of_one, 6) for each in found]
    assert costs[0].synaptic_operations != costs[1].synaptic_operations
    for each, cost in zip(found, costs, strict=True):
        by_hand = 6 * (each.spike_rates["first"] * 16 * 12 + each.spike_rates["second"] * 12 * 4)
        assert cost.synaptic_operations == pytest.approx(by_hand)
