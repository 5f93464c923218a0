"""Figures of spikes, voltages, rates, accuracy and energy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import converter
from converter import RefusedError, SpikingModel
from converter.io.samples import check_samples
from converter.measure.work_of_file import work_of_file
from tests.models import mlp, samples, save

STEPS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A rate model of IF neurons, and samples with labels that the trained network is right on."""
    folder = tmp_path_factory.mktemp("figures")
    model = mlp()
    x = samples(model, 24)
    path = save(model, folder / "m.onnx")
    fixed = {"code": "rate", "neuron": "if", "method": "percentile", "correction": "none", "n_steps": STEPS}
    converter.convert(path, x, **fixed).save(folder / "m.snn.onnx")
    (y,) = SpikingModel(folder / "m.snn.onnx").session().run(x)
    np.savez(folder / "x.npz", x=x, y=y.argmax(axis=1))
    return folder


def test_a_cell_of_the_raster_is_a_spike(folder) -> None:
    figure = converter.plot_raster(folder / "m.snn.onnx", folder / "x.npz", layer="second", sample=3, neurons=12)
    (axes,) = figure.axes
    shade = np.asarray(axes.collections[0].get_array()).reshape(-1, STEPS)
    x = np.load(folder / "x.npz")["x"]
    _, recording = SpikingModel(folder / "m.snn.onnx").session().run(x[3:4], record=["second"])
    counts = recording.counts["second"][:, 0]
    assert np.count_nonzero(shade) == np.count_nonzero(counts) > 0
    assert f"of {counts.shape[1]} neurons" in axes.get_ylabel()


def test_long_runs_have_marks(folder) -> None:
    figure = converter.plot_raster(folder / "m.snn.onnx", folder / "x.npz", steps=64)
    (axes,) = figure.axes
    x = np.load(folder / "x.npz")["x"]
    _, recording = SpikingModel(folder / "m.snn.onnx").session().run(x[:1], n_steps=64, record=["first"])
    marks = sum(len(collection.get_offsets()) for collection in axes.collections)
    assert marks == np.count_nonzero(recording.counts["first"])


def test_voltages_stay_below_the_threshold_line(folder) -> None:
    (axes,) = converter.plot_voltage(folder / "m.snn.onnx", folder / "x.npz", neurons=2).axes
    *curves, threshold = axes.get_lines()
    assert len(curves) == 2
    assert list(threshold.get_ydata()) == [1, 1]
    assert all(max(curve.get_ydata()) < 1 for curve in curves)


def test_bars_are_mean_rates(folder) -> None:
    spiking = SpikingModel(folder / "m.snn.onnx")
    (axes,) = converter.plot_rates(spiking, folder / "x.npz").axes
    bars = dict(zip((label.get_text() for label in axes.get_yticklabels()), axes.patches, strict=True))
    x = np.load(folder / "x.npz")["x"]
    _, recording = spiking.session().run(x, record=["first", "second"])
    for name in ("first", "second"):
        assert bars[name].get_width() == pytest.approx(np.abs(recording.counts[name]).mean(), rel=1e-5)


def test_accuracy_has_the_trained_model_beside(folder) -> None:
    (axes,) = converter.plot_accuracy(folder / "m.snn.onnx", folder / "x.npz", steps=[2, STEPS]).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert lines["m.snn.onnx"][-1] == 100
    assert any(label.startswith("trained model") for label in lines)


def test_without_labels_and_the_trained_model_there_is_no_accuracy(folder, tmp_path) -> None:
    (tmp_path / "m.snn.onnx").write_bytes((folder / "m.snn.onnx").read_bytes())
    x = np.load(folder / "x.npz")["x"]
    with pytest.raises(RefusedError, match="there is no accuracy; name it with --against"):
        converter.plot_accuracy(tmp_path / "m.snn.onnx", x)


def test_energy_is_that_of_the_counted_work(folder) -> None:
    spiking = SpikingModel(folder / "m.snn.onnx")
    x = np.load(folder / "x.npz")["x"]
    (axes,) = converter.plot_energy(spiking, x).axes
    floats, integers, analog, *additions = (bar.get_width() for bar in axes.patches)
    found = converter.evaluate(spiking, check_samples(x, spiking.inputs), [STEPS])
    work = work_of_file(spiking, found.spikes, {"x": (1, 8)}, STEPS)
    assert (analog + additions[-1]) / floats == pytest.approx(work.energy_ratio, rel=1e-6)
    assert integers / floats == pytest.approx(0.3 / 4.6, rel=1e-6)


def test_a_sample_or_a_layer_that_is_not_there(folder) -> None:
    with pytest.raises(RefusedError, match="there is no sample 24: there are 24, and the first is 0"):
        converter.plot_raster(folder / "m.snn.onnx", folder / "x.npz", sample=24)
    with pytest.raises(RefusedError, match="there is no layer 'third' to record; the model has first, second"):
        converter.plot_voltage(folder / "m.snn.onnx", folder / "x.npz", layer="third")
