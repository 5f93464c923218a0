"""Sums and counts stay true for 10^8 steps and more. `benchmarks.long_streams` takes all these steps; the tests here begin
where a run is after them."""

from __future__ import annotations

import numpy as np
import pytest

from snn_ops.ops import OPERATORS
from tests.ops.provider import SingleOperator

DONE = [2**24 + 1, 100_000_000, 3_000_000_001]
BACKENDS = ["native", "functions", "reference"]
STEPS = 4000
rng = np.random.default_rng(0)


def parts(exact: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """A number of float64 as two of float32."""
    high = np.float32(exact)
    return high, np.float32(exact - np.float64(high))


def run(
    op_type: str, backend: str, element: type, inputs: dict[str, object], **attributes: int
) -> dict[str, np.ndarray]:
    """The outputs by name; inputs that are not given are 0."""
    operator = OPERATORS[op_type]
    arrays = [np.asarray(inputs.get(t.name, 0), t.kind.dtype(element)) for t in operator.inputs]
    call = SingleOperator(op_type, backend=backend, **attributes) if backend != "reference" else None
    outputs = call(*arrays) if call else operator.run(*arrays, **attributes)
    by_name = zip((t.name for t in operator.outputs), outputs, strict=True)
    return {name: array[0] if array.ndim and name.endswith("_out") else array for name, array in by_name}


@pytest.mark.parametrize("element", [np.float32, np.float16, np.float64], ids=["float32", "float16", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("done", DONE)
@pytest.mark.parametrize("op_type", ["RunningMean", "TimeMean"])
def test_means(op_type, done, backend, element) -> None:
    """The mean was 0.1; then the input is around 0.5. What the sum takes in is the sum of the inputs."""
    x = (rng.integers(0, 1024, (STEPS, 5)) / 1024).astype(element)
    before = np.full(5, done * 0.1)
    high, low = parts(before) if element != np.float64 else (before, np.zeros(5))
    found = run(op_type, backend, element, {"x": x, "n_steps": STEPS, "sum": high, "sum_low": low, "step": done})
    total = np.float64(high) + low + np.float64(x).sum(0)
    kept = np.float64(found["sum_out"]) + found["sum_low_out"]
    np.testing.assert_allclose(kept - before, total - before, rtol=1e-5)
    y = found["y"][-5:].reshape(-1, 5)[-1]
    np.testing.assert_allclose(y, total / (done + STEPS), rtol=1e-3 if element == np.float16 else 1e-6)
    assert int(found["step_out"]) == done + STEPS


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("done", DONE)
@pytest.mark.parametrize("max_spikes", [1, 3, 0])
def test_sigma_delta(max_spikes, done, backend) -> None:
    """Every spike is that of exact arithmetic: targets and threshold are such that their ratio is exact in float32."""
    target = np.repeat([[0.25, -0.375, 0.8125, 0.0]], STEPS, 0)
    target[STEPS // 2 :] += 2.0**-20  # at 10^8 steps: 95 spikes at once, where there is no limit
    count = np.round(done * target[0])
    high, low = parts(count)
    inputs = {"target": target, "n_steps": STEPS, "threshold": 1, "step": done}
    found = run(
        "SigmaDelta", backend, np.float32, {**inputs, "net_count": high, "net_count_low": low}, max_spikes=max_spikes
    )
    exact = OPERATORS["SigmaDelta"].run(
        *(np.asarray(v, d) for v, d in zip((target, STEPS, 1, count, done), "dqddq", strict=True)),
        max_spikes=max_spikes,
    )
    np.testing.assert_array_equal(found["spikes"], exact[0])
    np.testing.assert_array_equal(
        np.float64(found["net_count_out"]) + found["net_count_low_out"], (exact[1] + exact[3])[0]
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("voltage", [-3e7, 2e8, 0.25])
def test_integrate_and_fire(voltage, signed, backend) -> None:
    """Far below 0 and far above the threshold a voltage still takes in small currents; a count goes on by one."""
    x = rng.uniform(-0.4, 0.6, (STEPS, 6)).astype(np.float32)
    sent = 200_000_001.0
    (high, low), (count, count_low) = parts(voltage), parts(sent)
    states = {"voltage": high, "voltage_low": low, "net_count": count, "net_count_low": count_low}
    inputs = {"current": x, "n_steps": STEPS, "threshold": 1, **states}
    found = run("IF", backend, np.float32, inputs, signed=signed)
    kept = np.float64(found["voltage_out"]) + found["voltage_low_out"]
    spikes = found["spikes"].sum(0, dtype=np.float64)
    moved = np.float64(x).sum(0) - spikes
    np.testing.assert_allclose(kept - (np.float64(high) + low), moved, atol=STEPS * 1e-6)
    np.testing.assert_array_equal(np.float64(found["net_count_out"]) + found["net_count_low_out"], sent + spikes)
    expected = {-3e7: -STEPS * signed, 2e8: STEPS}.get(voltage)
    if expected is not None:
        np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_takes_back_no_more_than_was_sent(backend) -> None:
    """Also where the count has a low part: 2^24 + 1 spikes were sent, of which all but 100 are taken back already."""
    x = np.full((200, 1), -1, np.float32)
    states = {"voltage": -5.0, "net_count": 2.0**24, "net_count_low": 100 - 2.0**24}
    found = run("IF", backend, np.float32, {"current": x, "n_steps": 200, "threshold": 1, **states}, signed=1)
    assert found["spikes"].sum() == -100
    assert found["net_count_out"] + found["net_count_low_out"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_running_difference_telescopes(backend) -> None:
    """It has one number: what rounding takes from one step it gives to the next, so that the sum of the outputs is exact."""
    done, x = 100_000_000, np.full((STEPS, 1), np.float32(0.3))
    total = np.float32(done) * np.float32(0.3)
    found = run("RunningDifference", backend, np.float32, {"x": x, "n_steps": STEPS, "total": total, "step": done})
    mean = (np.float64(total) + found["y"].sum(dtype=np.float64)) / (done + STEPS)
    np.testing.assert_allclose(mean, np.float64(np.float32(0.3)), rtol=2e-7)
