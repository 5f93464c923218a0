"""Corrections against the trained model."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

import snn_ops
from tests.models import convert_model, mlp, samples


@pytest.mark.parametrize("correction", ["bias", "potential"])
def test_corrections_remove_the_mean_error(correction, tmp_path) -> None:
    """Binary neurons at few steps, against the trained activation, channel by channel."""
    model = mlp()
    x = samples(model)

    def mean_error(kind: str) -> float:
        _, snn = convert_model(
            model, tmp_path, neuron="if", method="percentile", percentile=90.0, correction=kind, n_steps=4
        )
        found = snn_ops.Session(snn).run(x)[0]
        return float(np.abs((found - expected).mean(axis=0)).mean())

    (expected,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert mean_error(correction) < 0.6 * mean_error("none")
