"""Histograms against NumPy's quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from converter.calibration.histograms import ChannelHistogram, Observations, Observed, Peaks
from converter.engine.local import LocalEngine
from converter.io.samples import Samples
from converter.normalise.ann import load_ann
from tests.models import mlp, samples, save


@pytest.mark.parametrize("q", [0.5, 0.9, 0.999, 1.0])
def test_histogram_quantiles(q) -> None:
    """Batches of growing range; the answer is within a bin of NumPy's quantile."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(5, 40_000)) * np.asarray([[0.01], [1], [3], [100], [0]])
    histogram = ChannelHistogram(5)
    for part, grow in zip(np.split(data, 8, axis=1), (1, 2, 1, 5, 1, 1, 9, 1), strict=True):
        part *= grow
        histogram.add(part)
    bin_width = np.abs(data).max(axis=1) * 2 / 512
    assert (np.abs(histogram.quantile(q) - np.quantile(data, q, axis=1)) <= bin_width).all()
    assert (np.abs(histogram.magnitude_quantile(q) - np.quantile(np.abs(data), q, axis=1)) <= bin_width).all()
    assert (histogram.counts.sum(axis=1) == data.shape[1]).all()


def test_pieces_merge_to_the_same_bits() -> None:
    """However the samples are divided: counts and ranges, also of values so small that they round to 0 in a wide range."""
    rng = np.random.default_rng(1)
    batches = [rng.normal(0, scale, (4, 300)).astype(np.float32) for scale in (1e-12, 0.1, 3, 0.5, 40, 1e-9)]
    for batch in batches:
        batch[1] = 0
        batch[2] = -1e-14
    batches[0][3] = 0
    whole = ChannelHistogram(4)
    for batch in batches:
        whole.add(batch)
    for cuts in ([1], [2, 4], [1, 2, 3, 4, 5]):
        merged, limits = ChannelHistogram(4), np.zeros(4)
        for part in np.split(np.asarray(batches), cuts):
            piece = ChannelHistogram(4)
            piece.limit = limits.copy()
            for batch in part:
                piece.add(batch)
            merged.merge(piece)
            peaks = Peaks.of(part[0])
            for batch in part[1:]:
                peaks = peaks.then(Peaks.of(batch))
            limits = peaks.limits(limits)
            np.testing.assert_array_equal(limits, piece.limit)
        np.testing.assert_array_equal(merged.limit, whole.limit)
        np.testing.assert_array_equal(merged.counts, whole.counts)


def test_an_engine_gathers_the_same(tmp_path) -> None:
    model = load_ann(save(mlp(), tmp_path / "m.onnx")).model
    wanted = [Observed(node.outputs[0], 1) for node in model.graph if node.op_type == "Relu"]
    x = samples(mlp(), 700)
    x[300:] *= 7
    here, there = Observations(model, wanted), Observations(model, wanted, LocalEngine())
    for part in (Samples({"x": x[:400]}, None), Samples({"x": x}, None)):
        here.see(part)
        there.see(part)
    for item in wanted:
        np.testing.assert_array_equal(there[item.value].limit, here[item.value].limit)
        np.testing.assert_array_equal(there[item.value].counts, here[item.value].counts)
