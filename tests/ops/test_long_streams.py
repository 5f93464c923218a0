"""Sums and counts stay true for 10^8 steps and more. `benchmarks.long_streams` takes all these steps; the tests here begin
where a run is after them."""

from __future__ import annotations

import numpy as np
import pytest

from snn_ops.ops import OPERATORS, SMALLEST
from tests.ops.cases import CASES, Shape, random_inputs
from tests.ops.provider import SingleOperator

DONE = [2**24 + 1, 100_000_000, 3_000_000_001]
BACKENDS = ["native", "functions", "reference"]
ELEMENTS = pytest.mark.parametrize(
    "element", [np.float32, np.float16, np.float64], ids=["float32", "float16", "float64"]
)
CHANGED = [name for name, operator in OPERATORS.items() if operator.earlier]
CALLS = [(name, attributes) for name in CHANGED for attributes in ({}, *CASES[name].attributes)]
STEPS = 4000
rng = np.random.default_rng(0)


def parts(exact: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """A number of float64 as two of float32: the base, and what is left."""
    base = np.float32(exact)
    return base, np.float32(exact - np.float64(base))


def call(
    op_type: str, backend: str, inputs: list[np.ndarray], version: int = 2, **attributes: float
) -> list[np.ndarray]:
    operator = OPERATORS[op_type].at(version)
    if backend == "reference":
        return list(operator.run(*inputs, **attributes))
    return list(SingleOperator(op_type, backend=backend, version=version, **attributes)(*inputs))


def run(
    op_type: str, backend: str, element: type, inputs: dict[str, object], **attributes: float
) -> dict[str, np.ndarray]:
    """The outputs by name; inputs that are not given are 0."""
    operator = OPERATORS[op_type]
    arrays = [np.asarray(inputs.get(t.name, 0), t.kind.dtype(element)) for t in operator.inputs]
    outputs = call(op_type, backend, arrays, **attributes)
    by_name = zip((t.name for t in operator.outputs), outputs, strict=True)
    return {name: array[0] if array.ndim and name.endswith("_out") else array for name, array in by_name}


@ELEMENTS
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("done", DONE)
@pytest.mark.parametrize("op_type", ["RunningMean", "TimeMean"])
def test_means(op_type, done, backend, element) -> None:
    """The mean was 0.1; then the input is around 0.5. What the sum takes in is the sum of the inputs."""
    x = (rng.integers(0, 1024, (STEPS, 5)) / 1024).astype(element)
    before = np.full(5, done * 0.1)
    base, rest = parts(before) if element != np.float64 else (before, np.zeros(5))
    found = run(op_type, backend, element, {"x": x, "n_steps": STEPS, "sum": rest, "sum_base": base, "step": done})
    total = np.float64(base) + rest + np.float64(x).sum(0)
    kept = np.float64(found["sum_out"]) + found["sum_base_out"]
    np.testing.assert_allclose(kept - before, total - before, rtol=1e-5)
    y = found["y"][-5:].reshape(-1, 5)[-1]
    np.testing.assert_allclose(y, total / (done + STEPS), rtol=1e-3 if element == np.float16 else 1e-6)
    assert int(found["step_out"]) == done + STEPS


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("done", DONE)
@pytest.mark.parametrize("max_spikes", [1, 3, 0])
def test_sigma_delta(max_spikes, done, backend) -> None:
    """The count follows the target as closely as the target's own last digit is worth spikes by then."""
    target = np.repeat(np.float32([[0.25, -0.375, 0.8125, 0.0]]), STEPS, 0)
    target[STEPS // 2 :] += np.float32(2.0**-20)  # at 10^8 steps: 95 spikes at once, where there is no limit
    before = np.round(done * np.float64(target[0]))
    base, rest = parts(before)
    inputs = {
        "target": target,
        "n_steps": STEPS,
        "threshold": 1,
        "step": done,
        "net_count": rest,
        "net_count_base": base,
    }
    found = run("SigmaDelta", backend, np.float32, inputs, max_spikes=max_spikes)
    spikes = found["spikes"].sum(0, dtype=np.float64)
    kept = np.float64(found["net_count_out"]) + found["net_count_base_out"]
    np.testing.assert_array_equal(kept, before + spikes)
    wanted = (done + STEPS) * np.float64(target[-1])
    digit = np.spacing(np.float32(done + STEPS)) / 2 + np.spacing(np.float32(wanted)) / 2 + 0.5
    reachable = np.full(4, done < 10**9 or not max_spikes)  # 2861 spikes later, with few a step, not in 2000 steps
    np.testing.assert_array_less(np.abs(kept - wanted)[reachable], (digit + 1)[reachable])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("voltage", [-3e7, 2e8, 0.25])
def test_integrate_and_fire(voltage, signed, backend) -> None:
    """Far below 0 and far above the threshold a voltage still takes in small currents; a count goes on by one."""
    x = rng.uniform(-0.4, 0.6, (STEPS, 6)).astype(np.float32)
    sent = 200_000_001.0
    (base, rest), (count_base, count) = parts(voltage), parts(sent)
    states = {"voltage": rest, "voltage_base": base, "net_count": count, "net_count_base": count_base}
    inputs = {"current": x, "n_steps": STEPS, "threshold": 1, **states}
    found = run("IF", backend, np.float32, inputs, signed=signed)
    kept = np.float64(found["voltage_out"]) + found["voltage_base_out"]
    spikes = found["spikes"].sum(0, dtype=np.float64)
    moved = np.float64(x).sum(0) - spikes
    np.testing.assert_allclose(kept - (np.float64(base) + rest), moved, atol=STEPS * 1e-6)
    np.testing.assert_array_equal(np.float64(found["net_count_out"]) + found["net_count_base_out"], sent + spikes)
    expected = {-3e7: -STEPS * signed, 2e8: STEPS}.get(voltage)
    if expected is not None:
        np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_takes_back_no_more_than_was_sent(backend) -> None:
    """Also where the count has a base: 2^24 + 1 spikes were sent, of which all but 100 are taken back already."""
    x = np.full((200, 1), -1, np.float32)
    states = {"voltage": -5.0, "net_count": 100 - 2.0**24, "net_count_base": 2.0**24}
    found = run("IF", backend, np.float32, {"current": x, "n_steps": 200, "threshold": 1, **states}, signed=1)
    assert found["spikes"].sum() == -100
    assert found["net_count_out"] + found["net_count_base_out"] == 0


@ELEMENTS
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("op_type", "attributes"), CALLS)
def test_the_first_64_steps_are_those_of_version_1(op_type, attributes, backend, element) -> None:
    """To the last bit, output and states: nothing is rebased yet."""
    operator = OPERATORS[op_type]
    inputs = random_inputs(op_type, Shape(64, 2, (3, 5)), element, np.random.default_rng(1))
    names = [tensor.name for tensor in operator.inputs]
    bases = {base.name for base in operator.bases}
    inputs = [np.zeros((), x.dtype) if name in {"step", *bases} else x for name, x in zip(names, inputs, strict=True)]
    before = operator.at(1)
    expected = call(op_type, backend, inputs[: len(before.inputs)], 1, **attributes)
    found = call(op_type, backend, inputs, **attributes)
    np.testing.assert_array_equal(found[0], expected[0])
    results = dict(zip([t.name for t in operator.outputs], found, strict=True))
    for tensor, value in zip(before.outputs[1:], expected[1:], strict=True):
        kept = results[tensor.name] + results.get(tensor.name.replace("_out", "_base_out"), 0)
        np.testing.assert_array_equal(kept, value)


@ELEMENTS
@pytest.mark.parametrize(("op_type", "attributes"), CALLS)
def test_the_same_bits_in_kernel_body_and_reference(op_type, attributes, element) -> None:
    """Over two times at which sums are rebased, neurons far from 0 among them."""
    inputs = random_inputs(op_type, Shape(150, 2, (3, 5)), element, np.random.default_rng(2))
    inputs[0] = inputs[0] - np.linspace(-2, 2, 5).astype(element)
    native, functions, reference = (call(op_type, backend, inputs, **attributes) for backend in BACKENDS)
    for a, b, c in zip(native, functions, reference, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_running_difference_telescopes(backend) -> None:
    """It has one number: what rounding takes from one step it gives to the next, so that the sum of the outputs is exact."""
    done, x = 100_000_000, np.full((STEPS, 1), np.float32(0.3))
    total = np.float32(done) * np.float32(0.3)
    found = run("RunningDifference", backend, np.float32, {"x": x, "n_steps": STEPS, "total": total, "step": done})
    mean = (np.float64(total) + found["y"].sum(dtype=np.float64)) / (done + STEPS)
    np.testing.assert_allclose(mean, np.float64(np.float32(0.3)), rtol=2e-7)


@ELEMENTS
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "op_type", [name for name, operator in OPERATORS.items() if SMALLEST.name in operator.defaults]
)
def test_what_decays_does_not_end_in_denormal_numbers(op_type, backend, element) -> None:
    """Without an input, a state becomes 0 from `smallest` on. By default it falls on, as it did in release 0.1.0."""
    operator, steps = OPERATORS[op_type], 1000
    states = {state.name: 0.5 for state in operator.states} | {"refractory_time": 0.0, "amplitude": 1.0, "step": 100}
    inputs = {operator.input.name: np.zeros((steps, 3)), "n_steps": steps, **states}
    fast = {"tau": 0.002, "tau_rc": 0.0125, "tau_n": 0.002}
    fast = {name: tau for name, tau in fast.items() if name in operator.defaults}
    decaying = [state.output for state in operator.states if state.name != "refractory_time"]
    found = run(op_type, backend, element, inputs, smallest=1e-30, **fast)
    falling = run(op_type, backend, element, inputs, **fast)
    for name in decaying:
        assert not found[name].any()
    assert (np.abs(falling[decaying[-1]]) > 0).all()
