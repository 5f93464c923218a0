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


@pytest.mark.parametrize("way", ["reference", "native", "functions"])
@settings(max_examples=10, deadline=None)
@given(
    tau_rc=decimals(0.002, 0.1),
    tau_ref=decimals(0, 0.005),
    sigma=decimals(0.01, 3),
    amplitude=AMPLITUDE,
    seed=st.integers(0, 2**32 - 1),
)
def test_soft_lif_rate(way, tau_rc, tau_ref, sigma, amplitude, seed, nengo_dl_neurons) -> None:
    """10,000 currents an example, from far below the threshold to far above."""
    rng = np.random.default_rng(seed)
    currents = np.concatenate([rng.uniform(-2, 12, NEURONS // 2), rng.uniform(-60, 60, NEURONS // 2)])
    attributes = {"tau_rc": tau_rc, "tau_ref": tau_ref, "sigma": sigma}
    expected = np.zeros(NEURONS)
    with np.errstate(all="ignore"):
        nengo_dl_neurons.SoftLIFRate(amplitude=amplitude, **attributes).step(0.001, currents, expected)
    for element, tolerance in ((np.float64, 1e-10), (np.float32, 2e-5)):
        inputs = currents.astype(element), np.asarray(amplitude, element)
        if way == "reference":
            (rate,) = OPERATORS["SoftLIFRate"].run(*inputs, **attributes)
        else:
            (rate,) = SingleOperator("SoftLIFRate", backend=way, **attributes)(*inputs)
        np.testing.assert_allclose(rate, expected, rtol=tolerance, atol=tolerance)
