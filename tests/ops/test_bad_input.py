"""Bad input to an operator is an ONNX Runtime error with the operator's name and the reason, never a crash."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.provider import SingleOperator

X = np.ones((6, 5), np.float32)
ZERO = np.zeros((), np.float32)
ONE = np.ones((), np.float32)
STEPS = np.asarray(3)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ((X, np.asarray(4), ONE, ZERO, ZERO), "IF: the first axis of current, 6, is not a multiple of n_steps, 4"),
        ((X, np.asarray(0), ONE, ZERO, ZERO), "IF: n_steps must be at least 1, it is 0"),
        ((X, np.asarray(-3), ONE, ZERO, ZERO), "IF: n_steps must be at least 1, it is -3"),
        ((X, np.asarray([3, 3]), ONE, ZERO, ZERO), "IF: n_steps must be one number"),
        ((X[0, 0], STEPS, ONE, ZERO, ZERO), "IF: current is a scalar"),
        (
            (X, STEPS, np.ones(4, np.float32), ZERO, ZERO),
            r"IF: threshold of shape \[4\] does not broadcast .* \[2, 5\]",
        ),
        ((X, STEPS, ONE, np.ones((3, 5), np.float32), ZERO), r"IF: voltage of shape \[3, 5\] does not broadcast"),
        (
            (X, STEPS, ONE, ZERO, np.ones((1, 2, 5), np.float32)),
            r"IF: net_count of shape \[1, 2, 5\] does not broadcast",
        ),
        ((X, STEPS, ONE, np.zeros(0, np.float32), ZERO), r"IF: voltage of shape \[0\] does not broadcast"),
    ],
)
def test_shapes_and_steps(inputs, reason) -> None:
    with pytest.raises(Exception, match=reason):
        SingleOperator("IF")(*inputs)


@pytest.mark.parametrize(
    ("op_type", "attributes", "reason"),
    [
        ("LIF", {"tau_rc": 0.0}, "LIF: attribute tau_rc must be positive, it is 0"),
        ("LIF", {"tau_rc": -1.0}, "LIF: attribute tau_rc must be positive, it is -1"),
        ("LIF", {"dt": 0.0}, "LIF: attribute dt must be positive"),
        ("LIF", {"tau_ref": -0.1}, "LIF: attribute tau_ref must not be negative"),
        ("LIF", {"min_voltage": 0.5}, "LIF: attribute min_voltage must not be above 0"),
        ("LIF", {"tau_rc": float("nan")}, "LIF: attribute tau_rc must be finite"),
        ("LIF", {"tau_rc": "fast"}, "LIF: attribute tau_rc must be a number"),
        ("LIF", {"constant_current": 2}, "LIF: attribute constant_current must be 0 or 1"),
        ("IF", {"max_spikes": -1}, "IF: attribute max_spikes must not be negative"),
        ("IF", {"max_spikes": 1.5}, "IF: attribute max_spikes must be an integer"),
    ],
)
def test_attributes(op_type, attributes, reason) -> None:
    with pytest.raises(Exception, match=reason):
        SingleOperator(op_type, **attributes)(X, STEPS, ONE, ZERO, ZERO)


def test_integer_attribute_for_a_number_is_taken() -> None:
    """tau_rc=1 where an exporter wrote an integer."""
    a = SingleOperator("LIF", tau_rc=1)(4 * X, STEPS, ONE, ZERO, ZERO)
    b = SingleOperator("LIF", tau_rc=1.0)(4 * X, STEPS, ONE, ZERO, ZERO)
    np.testing.assert_array_equal(a[1], b[1])


def test_integer_currents_are_refused() -> None:
    with pytest.raises(Exception, match="IF"):
        SingleOperator("IF")(np.ones((6, 5), np.int32), STEPS, ONE, ZERO, ZERO)


@pytest.mark.parametrize("n_steps", [0, -1, -3, 4, 7])
def test_function_body_refuses_bad_steps(n_steps) -> None:
    """Without the library the message is ONNX Runtime's own, but it is an error."""
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        SingleOperator("IF", backend="functions")(X, np.asarray(n_steps), ONE, ZERO, ZERO)


@pytest.mark.parametrize("backend", ["native", "functions"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [("IF", {}), ("IF", {"max_spikes": 0}), ("LIF", {}), ("LIF", {"tau_rc": 0.003}), ("SigmaDelta", {})],
)
def test_one_bad_neuron_stays_alone(op_type, attributes, bad, backend) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 3, (8, 50)).astype(np.float32)
    spoilt = x.copy()
    spoilt[2, 17] = bad
    last = np.asarray(0) if op_type == "SigmaDelta" else ZERO
    run = SingleOperator(op_type, backend=backend, **attributes)
    good, other = (run(a, np.asarray(8), ONE, ZERO, last)[:2] for a in (x, spoilt))
    others = np.arange(50) != 17
    for a, b in zip(good, other, strict=True):
        np.testing.assert_array_equal(a[..., others], b[..., others])


@pytest.mark.parametrize("backend", ["native", "functions"])
def test_initial_voltage_above_threshold_fires(backend) -> None:
    """As in Nengo; the other neurons of the block do not notice."""
    voltage = np.asarray([0.5, 1.5, 0.0], np.float32)
    x = np.full((2, 3), 0.2, np.float32)
    spikes, *_ = SingleOperator("LIF", backend=backend)(x, np.asarray(2), ONE, voltage, ZERO)
    np.testing.assert_array_equal(spikes, np.asarray([[0, 1000, 0], [0, 0, 0]], np.float32))
