"""SoftLIFRate against NengoDL's own class. Its file needs Nengo and NumPy only, so it is loaded without TensorFlow."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_ops.ops import OPERATORS
from snn_ops.single import SingleOperator
from tests.ops.test_nengo import AMPLITUDE, decimals

NEURONS = 10_000


@pytest.fixture(scope="module")
def nengo_dl_neurons() -> ModuleType:
    package = importlib.util.find_spec("nengo_dl")
    if package is None or package.origin is None:
        pytest.skip("nengo-dl is not installed: extra nengo")
    spec = importlib.util.spec_from_file_location("nengo_dl_neurons", Path(package.origin).with_name("neurons.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ATTRIBUTES = {"tau_rc": decimals(0.002, 0.1), "tau_ref": decimals(0, 0.005), "sigma": decimals(0.01, 3)}


def compare(way: str, data: st.DataObject, neurons: int, nengo_dl_neurons: ModuleType) -> None:
    """Currents from far below the threshold to far above."""
    attributes = {name: data.draw(strategy, label=name) for name, strategy in ATTRIBUTES.items()}
    amplitude, rng = data.draw(AMPLITUDE), np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    currents = np.concatenate([rng.uniform(-2, 12, neurons // 2), rng.uniform(-60, 60, neurons // 2)])
    expected = np.zeros(neurons)
    with np.errstate(all="ignore"):
        nengo_dl_neurons.SoftLIFRate(amplitude=amplitude, **attributes).step(0.001, currents, expected)
    for element, tolerance in ((np.float64, 1e-10), (np.float32, 2e-5)):
        inputs = currents.astype(element), np.asarray(amplitude, element)
        if way == "reference":
            (rate,) = OPERATORS["SoftLIFRate"].run(*inputs, **attributes)
        else:
            (rate,) = SingleOperator("SoftLIFRate", backend=way, **attributes)(*inputs)
        np.testing.assert_allclose(rate, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("way", ["reference", "native", "functions"])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_soft_lif_rate(way, data, nengo_dl_neurons) -> None:
    compare(way, data, NEURONS, nengo_dl_neurons)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_soft_lif_rate_of_ten_million(data, nengo_dl_neurons) -> None:
    compare("native", data, 10 * NEURONS, nengo_dl_neurons)
