"""The length of a readout: what is tried, and that the taken one is the best on the frames it was fitted on."""

from __future__ import annotations

import numpy as np
import pytest

import snn_ops
from converter.calibration import readout_fit
from converter.calibration.readout_fit import candidates
from converter.conversion import build
from converter.conversion.main import convert
from converter.graph.run import start_quietly
from converter.normalise.ann import load_ann
from tests.models import mlp, samples, save


def test_candidates() -> None:
    assert candidates(1) == [1]
    assert candidates(8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert candidates(32) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27]


@pytest.mark.parametrize("readout", ["leaky", "window"])
def test_the_best_on_samples_that_follow_each_other(readout, tmp_path, monkeypatch) -> None:
    """Errors in streams of the finished files, one file for each length."""
    path, x, steps = save(mlp(), tmp_path / "m.onnx"), samples(mlp(), 64), 4
    options = {"code": "rate", "neuron": "if", "n_steps": steps, "streaming": True, "readout": readout}
    seen = {}

    def fit(trained, spiking, readout, held_out, n_steps, progress):
        seen["x"] = held_out.feed["x"]
        seen["steps"] = readout_fit.fit_readout(trained, spiking, readout, held_out, n_steps, progress)
        return seen["steps"]

    monkeypatch.setattr(build, "fit_readout", fit)
    convert(path, x, **options)
    held_out = seen["x"]
    assert len(held_out) == 8  # an eighth
    np.testing.assert_array_equal(held_out, x[-8:])
    trained, errors = start_quietly(load_ann(path).model), {}
    for count in candidates(steps):
        monkeypatch.setattr(build, "fit_readout", lambda *args, count=count: count)
        stream = snn_ops.Session(convert(path, x, **options).proto()).stream()
        stream.run(held_out, steps)
        frames = [np.roll(held_out, -shift, axis=0) for shift in (2, 4)]
        errors[count] = sum(
            ((stream.run(frame, steps)[0] - trained.run(None, {"x": frame})[0]) ** 2).sum() for frame in frames
        )
    assert min(errors, key=errors.__getitem__) == seen["steps"]
    assert max(errors.values()) > 1.2 * errors[seen["steps"]]
