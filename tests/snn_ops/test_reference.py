"""The functions in NumPy against Nengo, without the native library. test_functions.py tests them beside the native ones."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from snn_ops import reference

CURRENTS = np.random.default_rng(0).uniform(-1, 8, (60, 40))


def by_nengo(neuron, **states: np.ndarray) -> np.ndarray:
    spikes = np.zeros_like(CURRENTS)
    with np.errstate(all="ignore"):
        for out, current in zip(spikes, CURRENTS, strict=True):
            neuron.step(0.001, current.copy(), out, **states)
    return spikes


def test_lif_is_nengos() -> None:
    nengo = pytest.importorskip("nengo")
    voltage, refractory_time = np.zeros(40), np.zeros(40)
    neuron = nengo.LIF(tau_rc=0.03, tau_ref=0.003, amplitude=0.7)
    expected = by_nengo(neuron, voltage=voltage, refractory_time=refractory_time)
    found = reference.lif(CURRENTS, n_steps=60, amplitude=0.7, tau_rc=0.03, tau_ref=0.003)
    assert expected.any()
    np.testing.assert_array_equal(found.spikes, expected)
    np.testing.assert_allclose(found.voltage[0], voltage, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.refractory_time[0], refractory_time, rtol=1e-12, atol=1e-12)


def test_lif_rate_is_nengos() -> None:
    nengo = pytest.importorskip("nengo")
    expected = by_nengo(nengo.LIFRate(tau_rc=0.03, tau_ref=0.003, amplitude=0.7))
    found = reference.lif_rate(CURRENTS, 0.7, tau_rc=0.03, tau_ref=0.003)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("name", ["lowpass", "alpha"])
def test_synapses_are_nengos(name) -> None:
    nengo = pytest.importorskip("nengo")
    synapse = {"lowpass": nengo.Lowpass, "alpha": nengo.Alpha}[name](0.01)
    filt = synapse.filt(CURRENTS, dt=0.001, y0=0)
    found = getattr(reference, name)(CURRENTS, n_steps=60, tau=0.01)
    np.testing.assert_allclose(found.y, filt, rtol=1e-9, atol=1e-9)


def test_it_needs_no_library() -> None:
    code = """
import os
os.environ["ONNX_SNN_LIBRARY"] = "missing.so"
import snn_ops
print(snn_ops.reference.if_([[0.5], [0.75]], n_steps=2).spikes.tolist())
try: snn_ops.if_([[0.5], [0.75]], n_steps=2)
except snn_ops.LibraryNotFoundError: print("native needs it")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[[0.0], [1.0]]\nnative needs it\n", done.stderr
