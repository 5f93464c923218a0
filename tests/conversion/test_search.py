"""What `auto` measures and takes."""

from __future__ import annotations

from tests.models import convert_model, convnet


def test_auto_takes_the_least_error_it_measured(tmp_path) -> None:
    conversion, _ = convert_model(convnet(), tmp_path)
    assert len(conversion.trials) >= 5
    chosen = conversion.trials[-1]
    assert chosen.recipe == conversion.recipe
    assert chosen.error <= 1.1 * min(trial.error for trial in conversion.trials)
    assert {trial.recipe.neuron for trial in conversion.trials} == {"if", "if-signed", "if-burst"}
    assert {trial.recipe.method for trial in conversion.trials} == {"percentile", "mse", "balance"}
    assert {trial.recipe.correction for trial in conversion.trials} == {"none", "bias", "potential"}
