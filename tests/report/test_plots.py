"""Pictures of accuracy over steps."""

from __future__ import annotations

import pytest

from converter.measure.evaluation import Evaluation
from converter.measure.scores import StepResult
from converter.report import plots


def evaluation(*shares: float, labelled: bool = True) -> Evaluation:
    steps = [StepResult(2**i, share if labelled else None, share, 0.1, {}) for i, share in enumerate(shares)]
    return Evaluation(samples=10, ann_accuracy=0.9 if labelled else None, steps=steps, spike_rates={})


@pytest.fixture
def figures(monkeypatch) -> list:
    """The figures that are drawn."""
    drawn = []
    real = plots.new_figure

    def new_figure(width: float, height: float):
        drawn.append(real(width, height))
        return drawn[-1]

    monkeypatch.setattr(plots, "new_figure", new_figure)
    return drawn


def test_a_line_for_each_evaluation_and_one_for_the_trained_model(figures, tmp_path) -> None:
    curves = {"a": evaluation(0.5, 0.8), "b": evaluation(0.6, 0.85)}
    plots.accuracy_picture(curves, tmp_path / "p.png", title="t")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = figures[0].axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert lines["a"] == [50, 80]
    assert lines["b"] == [60, 85]
    assert lines["trained model 90.00 %"] == [90, 90]
    assert axes.get_ylabel() == "accuracy in %"


def test_without_labels_it_shows_agreement(figures, tmp_path) -> None:
    plots.accuracy_picture({"a": evaluation(0.5, 0.8, labelled=False)}, tmp_path / "p.png", title="t")
    (axes,) = figures[0].axes
    assert len(axes.get_lines()) == 1
    assert axes.get_ylabel() == "agreement with the trained model in %"


def test_a_small_difference_does_not_fill_the_picture(figures, tmp_path) -> None:
    plots.accuracy_picture({"a": evaluation(0.99, 0.9901)}, tmp_path / "p.png", title="t")
    low, high = figures[0].axes[0].get_ylim()
    assert high - low >= plots.LEAST_SPAN
