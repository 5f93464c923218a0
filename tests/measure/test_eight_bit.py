"""The 8-bit network against NumPy with integers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.models import convert_model, mlp, samples

HELD_OUT = 8


def integers(x: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, float]:
    """uint8 around its zero point, and the unit."""
    low, high = min(seen.min(), 0.0), max(seen.max(), 0.0)
    unit = (high - low) / 255
    zero = round(-low / unit)
    return np.clip(np.rint(x / unit), -zero, 255 - zero), unit


def test_an_mlp_in_integers(tmp_path) -> None:
    """The same outputs' error, zeros and energies from a network that is computed in whole numbers."""
    model = mlp()
    conversion, _ = convert_model(model, tmp_path, neuron="if", method="percentile", correction="none", n_steps=4)
    numbers = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    x = samples(model).astype(np.float64)
    seen, held = x[:-HELD_OUT], x[-HELD_OUT:]
    exact, small = held, held
    products = used = elements = 0.0
    for layer, (inputs, outputs) in enumerate(((8, 16), (16, 12), (12, 4)), start=1):
        w, b = numbers[f"W{layer}"], numbers[f"B{layer}"]
        q, unit = integers(small, seen)
        of_channel = np.abs(w).max(axis=0) / 127
        small = q @ np.rint(w / of_channel) * unit * of_channel + b
        products += inputs * outputs
        used += (q != 0).mean() * inputs * outputs
        elements += inputs
        exact, seen = exact @ w + b, seen @ w + b
        if layer < 3:
            small, exact, seen = (np.maximum(array, 0) for array in (small, exact, seen))
    found = conversion.eight_bit
    assert found.relative_error == pytest.approx(np.linalg.norm(small - exact) / np.linalg.norm(exact), rel=1e-3)
    assert found.agreement == (small.argmax(1) == exact.argmax(1)).mean()
    assert found.accuracy is None
    assert found.energy_ratio == pytest.approx(0.3 / 4.6)
    assert found.energy_ratio_skipping == pytest.approx(0.3 / 4.6 * used / products)
    trained = 4.6 * products + 0.9 * (16 + 12)  # two layers of Relu
    assert found.energy_ratio_all == pytest.approx((0.3 * products + 3.2 * elements + 0.1 * (16 + 12)) / trained)
    assert found.energy_ratio_all_skipping == pytest.approx((0.3 * used + 3.2 * elements + 0.1 * (16 + 12)) / trained)
