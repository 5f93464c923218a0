"""What `auto` measures and takes."""

from __future__ import annotations

import numpy as np

import snn_ops
from converter.conversion.result import Recipe, Trial
from converter.conversion.search import _simplest
from tests.models import convert_model, convnet, samples, text_model


def test_auto_takes_the_least_error_it_measured(tmp_path) -> None:
    conversion, _ = convert_model(convnet(), tmp_path)
    assert len(conversion.trials) >= 5
    chosen = conversion.trials[-1]
    assert chosen.recipe == conversion.recipe
    assert chosen.error <= 1.1 * min(trial.error for trial in conversion.trials)
    assert {trial.recipe.neuron for trial in conversion.trials} == {"if", "if-signed", "if-burst"}
    assert {trial.recipe.method for trial in conversion.trials} == {"percentile", "mse", "balance"}
    assert {trial.recipe.correction for trial in conversion.trials} == {"none", "bias", "potential"}


def test_an_error_that_is_not_a_number_loses() -> None:
    bad, good = (
        Trial(Recipe(name, "mse", "none"), errors, 0.1)
        for name, errors in (("if", {2: np.nan, 4: 0.1}), ("lif", {2: 9.0, 4: 9.0}))
    )
    assert bad.error == np.inf
    assert _simplest([bad, good]) is good
    assert _simplest([bad, bad]) is bad


def test_a_candidate_without_spikes_does_not_end_the_search(tmp_path) -> None:
    """Activations divided by their sum are 0 / 0 until the first spike comes."""
    model = text_model(
        """m (float[N,8] x) => (float[N,5] y) <float[8,24] A, float[24,16] B, float[16,5] C, int64[1] AXIS> {
          h = MatMul(x, A)  [first] a = Relu(h)  i = MatMul(a, B)  [second] b = Relu(i)
          s = ReduceSum(b, AXIS)  n = Div(b, s)  y = MatMul(n, C) }""",
        AXIS=np.asarray([1]),
    )
    conversion, spiking = convert_model(model, tmp_path, n_steps=2, code="rate")
    assert any(not np.isfinite(trial.error) for trial in conversion.trials)
    assert np.isfinite(conversion.trials[-1].error)
    assert np.isfinite(snn_ops.Session(spiking).run(samples(model))[0]).all()
